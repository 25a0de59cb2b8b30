"""A graph that runs: a Module which needs nobody's class but the layers'."""

from __future__ import annotations

import copy
from dataclasses import replace

from tinyslim.autograd import OPERATIONS, Tensor
from tinyslim.nn import Layer, Module, tell

from .node import Constant, Graph, Neighbour, Node, Parameter

#: Operations that behave otherwise in training: a graph must call their layer, since it was traced in eval mode.
NEED_A_LAYER = {"batch_norm", "dropout"}


def run_node(node: Node, values: dict, layers: dict, parameters: dict, attributes: dict | None = None) -> Tensor:
    """The result of one node.

    Parameters
    ----------
    node : Node
    values : dict
        Results by node, of its inputs at least.
    layers, parameters : dict
        Modules and Tensors by path.
    attributes : dict, optional
        In the place of the node's own.
    """
    arguments = [
        values[a] if isinstance(a, Node)
        else parameters[a.path] if isinstance(a, Parameter)
        else Tensor(a.array) if isinstance(a, Constant)
        else layers[a.path] if isinstance(a, Neighbour)
        else None
        for a in node.arguments
    ]  # fmt: skip
    if node.module is not None:
        return layers[node.module](*arguments)
    return OPERATIONS[node.op](*arguments, **(node.attributes if attributes is None else attributes))


class GraphModule(Module):
    """Runs the nodes of a graph; its layers lie at the paths that they had in the network that was traced."""

    def __init__(self, graph: Graph):
        self.graph = graph
        graph.model = self

    def forward(self, x: Tensor) -> Tensor:
        layers = dict(self.named_modules())
        parameters = dict(self.named_parameters())
        values: dict[Node, Tensor] = {self.graph.input: x}
        last = self._last_uses()
        for node in self.graph.nodes[1:]:
            values[node] = tell(node, run_node(node, values, layers, parameters))
            for used in last[node]:
                del values[used]
        return values[self.graph.output]

    def results(self, x: Tensor) -> dict[str, Tensor]:
        """The result of every node, by name: what lies between the input and the output."""
        layers, parameters = dict(self.named_modules()), dict(self.named_parameters())
        values = {self.graph.input: x}
        for node in self.graph.nodes[1:]:
            values[node] = run_node(node, values, layers, parameters)
        return {node.name: value for node, value in values.items()}

    def _last_uses(self) -> dict[Node, list[Node]]:
        """For each node the results that nobody needs after it, so that their memory can be freed."""
        user_of: dict[Node, Node] = {}
        for node in self.graph:
            user_of.update(dict.fromkeys(node.inputs, node))
        last: dict[Node, list[Node]] = {node: [] for node in self.graph}
        for used, user in user_of.items():
            if used is not self.graph.output:
                last[user].append(used)
        return last


def to_module(graph: Graph, layers: dict[str, Layer] | None = None) -> GraphModule:
    """A Module that runs `graph`, with copies of the traced network's layers at the same paths.

    Parameters
    ----------
    graph : Graph
    layers
        Layers by path that are put in the place of the network's own, or are new; these are not copied.

    Raises
    ------
    ValueError
        When batch norm or dropout was called as a function: only their layers know how to train.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import graph, nn
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(4, 2))
    >>> running = graph.to_module(graph.trace(net, np.zeros((1, 8, 8, 1), np.float32)))
    >>> running(np.zeros((5, 8, 8, 1), np.float32)).shape
    (5, 2)
    """
    for node in graph:
        if node.op in NEED_A_LAYER and node.module is None:
            raise ValueError(f"{node.name} calls F.{node.op} itself; use its layer in `nn`, so that it can be trained")
    model = graph.model
    # One deep copy of everything, so that a tensor that two layers share is shared in the copy too.
    found, parameters = copy.deepcopy(
        ({path: module for path, module in model.named_modules() if isinstance(module, Layer)},
         dict(model.named_parameters()))
    )  # fmt: skip
    found |= layers or {}
    nodes = copy_nodes(graph.nodes)
    made = GraphModule(Graph(list(nodes.values()), nodes[graph.output], model))
    for node in made.graph:
        if node.module is not None:
            place(made, node.module, found[node.module])
        for argument in node.arguments:
            if isinstance(argument, Parameter):
                place(made, argument.path, parameters[argument.path])
    made.preprocessing, made.input_shape = model.preprocessing, model.input_shape
    return made.train(model.training)


def copy_nodes(nodes: list[Node]) -> dict[Node, Node]:
    """Copies by the nodes that they were made from, each taking copies of its inputs."""
    copies: dict[Node, Node] = {}
    for node in nodes:
        arguments = tuple(copies[a] if isinstance(a, Node) else a for a in node.arguments)
        copies[node] = replace(node, arguments=arguments, attributes=dict(node.attributes))
    return copies


def place(root: Module, path: str, value: Module | Tensor) -> None:
    """Set the attribute at a dotted path, with plain Modules on the way."""
    *folders, name = path.split(".")
    for folder in folders:
        if not isinstance(vars(root).get(folder), Module):
            setattr(root, folder, Module())
        root = getattr(root, folder)
    setattr(root, name, value)
