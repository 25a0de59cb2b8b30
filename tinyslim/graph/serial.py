"""A running graph as JSON values and arrays, and back: what makes a pruned network load without its class."""

from __future__ import annotations

import importlib

import numpy as np

from tinyslim.autograd import OPERATIONS, Tensor
from tinyslim.nn import LAYERS, Layer

from .module import GraphModule, place
from .node import Constant, Graph, Neighbour, Node, Parameter

#: Rooms whose layers a file may name; they are imported when a file needs them.
ROOMS = ("nn", "quant")


def to_json(module: GraphModule) -> dict:
    """The architecture of `module`; its arrays are `module.state_dict()`.

    Raises
    ------
    ValueError
        When two layers share a tensor: it would come back as two. (One layer called twice is no problem.)

    Examples
    --------
    >>> import numpy as np, json
    >>> from tinyslim import graph, nn
    >>> x = np.zeros((1, 4, 4, 1), np.float32)
    >>> running = graph.to_module(graph.trace(nn.Sequential(nn.ReLU(), nn.Flatten()), x))
    >>> len(json.dumps(graph.to_json(running))) > 0
    True
    """
    state = module.state_dict()
    for path, layer in _layers(module):
        for name in layer.config()["parameters"]:
            if f"{path}.{name}" not in state:
                raise ValueError(
                    f"{path}.{name} is a tensor of another layer too; call one layer twice to share weights"
                )
    return {
        "nodes": [_node_to_json(node) for node in module.graph],
        "output": module.graph.output.name,
        "layers": {path: layer.config() for path, layer in _layers(module)},
        "preprocessing": module.preprocessing and [np.asarray(part, float).tolist() for part in module.preprocessing],
        "input_shape": module.input_shape,
    }


def _layers(module: GraphModule) -> list[tuple[str, Layer]]:
    return [(path, layer) for path, layer in module.named_modules() if isinstance(layer, Layer)]


def _node_to_json(node: Node) -> dict:
    return {
        "name": node.name,
        "op": node.op,
        "arguments": [_argument_to_json(argument) for argument in node.arguments],
        # A layer's attributes are its settings, saved with the layer.
        "attributes": {} if node.module is not None else _attributes_to_json(node),
        "module": node.module,
        "shape": node.shape,
        "params": node.params,
        "macs": node.macs,
        "returned_by": node.returned_by,
    }


def _attributes_to_json(node: Node) -> dict:
    def plain(value):
        if isinstance(value, slice):
            return {"slice": [plain(end) for end in (value.start, value.stop, value.step)]}
        if isinstance(value, np.ndarray):
            return {"array": value.tolist(), "dtype": str(value.dtype)}
        if isinstance(value, list):
            return {"list": [plain(item) for item in value]}
        if isinstance(value, tuple):
            return [plain(item) for item in value]
        if isinstance(value, np.generic):
            return value.item()
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise ValueError(
            f"{node.name} calls F.{node.op} with {value!r:.80}, which a file can't hold: write it as a layer"
        )

    return {name: plain(value) for name, value in node.attributes.items()}


def _argument_to_json(argument) -> dict | None:
    if isinstance(argument, Node):
        return {"node": argument.name}
    if isinstance(argument, Parameter):
        return {"parameter": argument.path}
    if isinstance(argument, Constant):
        return {"constant": argument.array.tolist(), "dtype": str(argument.array.dtype)}
    if isinstance(argument, Neighbour):
        return {"neighbour": argument.path}
    return None


def from_json(header: dict, arrays: dict[str, np.ndarray]) -> GraphModule:
    """The module whose `to_json` and `state_dict` these were.

    Raises
    ------
    ValueError
        When a layer's class or an operation is unknown, or an array is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import graph, nn
    >>> x = np.ones((1, 3), np.float32)
    >>> running = graph.to_module(graph.trace(nn.Sequential(nn.Linear(3, 2)), x))
    >>> again = graph.from_json(graph.to_json(running), running.state_dict())
    >>> bool((again(x).data == running(x).data).all())
    True
    """
    layers = {path: _layer(path, config, arrays) for path, config in header["layers"].items()}
    nodes: dict[str, Node] = {}
    for entry in header["nodes"]:
        nodes[entry["name"]] = _node_from_json(entry, nodes, layers)
    module = GraphModule(Graph(list(nodes.values()), nodes[header["output"]], None))
    # In the order of the nodes, as `to_module` does it: an optimizer's buffers are known by their parameter's position.
    for node in module.graph:
        if node.module is not None:
            place(module, node.module, layers[node.module])
        for argument in node.arguments:
            if isinstance(argument, Parameter):
                place(module, argument.path, Tensor(_array(arrays, argument.path), requires_grad=True))
    module.preprocessing = _tuples(header["preprocessing"])
    module.input_shape = _tuples(header["input_shape"])
    return module


def _layer(path: str, config: dict, arrays: dict[str, np.ndarray]) -> Layer:
    if config["class"] not in LAYERS and config["room"] in ROOMS:
        importlib.import_module(f"tinyslim.{config['room']}")
    if config["class"] not in LAYERS:
        raise ValueError(f"the layer {path} is a {config['class']}, which is unknown here: import its module first")
    own = {name: _array(arrays, f"{path}.{name}") for name in config["parameters"] + config["buffers"]}
    return LAYERS[config["class"]].from_config(config, own)


def _array(arrays: dict[str, np.ndarray], path: str) -> np.ndarray:
    if path not in arrays:
        raise ValueError(f"the array {path!r} is missing from the file")
    return arrays[path]


def _node_from_json(entry: dict, nodes: dict[str, Node], layers: dict[str, Layer]) -> Node:
    if entry["module"] is None and entry["op"] != "input" and entry["op"] not in OPERATIONS:
        raise ValueError(f"the operation {entry['op']!r} is unknown here: import the module that defines it first")
    attributes = {name: _attribute(value) for name, value in entry["attributes"].items()}
    if entry["module"] is not None:
        attributes = layers[entry["module"]].attributes
    arguments = tuple(_argument_from_json(argument, nodes) for argument in entry["arguments"])
    return Node(
        entry["name"],
        entry["op"],
        arguments,
        attributes,
        entry["module"],
        tuple(entry["shape"]),
        entry["params"],
        entry["macs"],
        tuple(entry.get("returned_by", ())),  # older files don't tell
    )


def _argument_from_json(argument: dict | None, nodes: dict[str, Node]):
    if argument is None:
        return None
    if "node" in argument:
        return nodes[argument["node"]]
    if "parameter" in argument:
        return Parameter(argument["parameter"])
    if "neighbour" in argument:
        return Neighbour(argument["neighbour"])
    return Constant(np.array(argument["constant"], argument["dtype"]))


def _attribute(value):
    """The value that `_attributes_to_json` made plain."""
    if isinstance(value, list):
        return tuple(_attribute(item) for item in value)
    if not isinstance(value, dict):
        return value
    if "slice" in value:
        return slice(*map(_attribute, value["slice"]))
    if "list" in value:
        return [_attribute(item) for item in value["list"]]
    return np.array(value["array"], value["dtype"])


def _tuples(value):
    """JSON knows lists only; the operations take tuples."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
