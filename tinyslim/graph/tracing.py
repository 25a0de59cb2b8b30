"""Read the tape of one forward pass as a graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tinyslim.autograd import Recording, Tensor, record
from tinyslim.nn import Call, Layer, Module, listening

from .node import Constant, Graph, Neighbour, Node, Parameter
from .places import numbered, outer_paths
from .rules import MACS, check_known


def trace(model: Module, example) -> Graph:
    """Run `model` once and return what it did.

    The pass runs in eval mode and changes no buffer; afterwards each module is in the mode it was in. A call of a layer
    is one node, whatever the layer computes inside.

    Parameters
    ----------
    model : Module
    example : array
        A batch that the model takes, (n, …); its values don't matter.

    Returns
    -------
    Graph

    Raises
    ------
    ValueError
        When an operation has no rule, or the result does not depend on the example.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import graph, nn
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten())
    >>> print(graph.trace(net, np.zeros((1, 5, 5, 1))))
    input: input() → 5 × 5 × 1
    0: conv2d(input) → 5 × 5 × 4
    1: relu(0) → 5 × 5 × 4
    2: flatten(1) → 100
    """
    returned: list[tuple[object, Tensor]] = []
    hear = listening(lambda place, tensor: returned.append((place, tensor)))
    with evaluating(model), record(Recording.EVERYTHING), hear:
        start = Tensor(np.asarray(getattr(example, "data", example), _dtype(model)))
        result = model(start)
    return _Reader(model, start).read(result, returned)


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Eval mode inside the `with` block; afterwards each module is as it was.

    Examples
    --------
    >>> from tinyslim import graph, nn
    >>> layer = nn.BatchNorm2d(4)
    >>> with graph.evaluating(layer):
    ...     print(layer.training)
    False
    >>> layer.training
    True
    """
    modes = [(module, module.training) for module in model.modules()]
    remembered = model.input_shape
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        model.input_shape = remembered or model.input_shape


def _dtype(model: Module) -> np.dtype:
    return next((tensor.dtype for tensor in model.parameters()), np.dtype(np.float32))


class _Reader:
    """Turns tensors that remember how they were made into nodes."""

    def __init__(self, model: Module, start: Tensor):
        self.model, self.start = model, start
        self.paths = {id(module): path for path, module in model.named_modules()}
        self.parameters = {id(tensor): path for path, tensor in model.named_parameters()}
        self.nodes: dict[Tensor, Node] = {}
        self.names: dict[str, int] = {}

    def read(self, result: Tensor, returned: list[tuple[object, Tensor]]) -> Graph:
        tensors = made_from(result)
        if self.start not in tensors:
            raise ValueError(
                "the model's result does not depend on `example`: was it computed outside of the operations?"
            )
        self.nodes[self.start] = Node(self._name("input"), "input", shape=self.start.shape)
        inner = _inner_results(tensors)
        for tensor in tensors:
            if tensor.op != "leaf" and tensor not in inner:
                self.nodes[tensor] = self._node(tensor)
        self._tell_who_returned(returned)
        return Graph(list(self.nodes.values()), self.nodes[result], self.model)

    def _node(self, tensor: Tensor) -> Node:
        call = layer_call(tensor)
        if call is None:
            where = ".".join(filter(None, [self.paths.get(id(c.module), "") for c in tensor.scope[-1:]]))
            check_known(tensor.op, where)
            op, attributes = _for_any_batch(tensor)
            name, module = self._name(op), None
            arguments = tuple(self._argument(x) for x in tensor.inputs)
        else:
            module = self.paths[id(call.module)]
            op, attributes = call.module.op, call.module.attributes
            check_known(op, module)
            name = self._name(module or op)
            arguments = tuple(self.nodes[x] for x in outer_inputs(tensor, call) if x in self.nodes)
            arguments += tuple(Neighbour(self.paths[id(module)]) for module in call.neighbours)
        node = Node(name, op, arguments, attributes, module, tensor.shape)
        node.params = self._params(node, call)
        node.macs = self._macs(node, tensor)
        return node

    def _tell_who_returned(self, returned: list[tuple[object, Tensor]]) -> None:
        """Give nodes the paths of the blocks whose results they are: the n-th call of one is called ``path:n``."""
        paths, calls = outer_paths(self.model), Counter()
        for place, tensor in returned:
            for path in paths.get(place, ()) if tensor in self.nodes else ():
                self.nodes[tensor].returned_by += (numbered(path, calls[path]),)
                calls[path] += 1

    def _argument(self, tensor: Tensor | None):
        if tensor is None:
            return None
        if tensor in self.nodes:
            return self.nodes[tensor]
        path = self.parameters.get(id(tensor))
        return Constant(tensor.data) if path is None else Parameter(path)

    def _params(self, node: Node, call: Call | None) -> int:
        if call is not None:
            return sum(tensor.size for tensor in call.module.parameters())
        own = dict(self.model.named_parameters())
        return sum(own[argument.path].size for argument in node.arguments if isinstance(argument, Parameter))

    def _macs(self, node: Node, tensor: Tensor) -> int:
        if node.op not in MACS:
            return 0
        weight = layer_call(tensor).module.weight if node.module is not None else tensor.inputs[1]
        return MACS[node.op](weight.shape, node.shape)

    def _name(self, wish: str) -> str:
        """`wish` for the first that asks, then with a number: a layer called twice is two nodes."""
        count = self.names.get(wish, 0)
        self.names[wish] = count + 1
        return numbered(wish, count)


def made_from(result: Tensor) -> list[Tensor]:
    """`result` and all tensors that it was computed from, oldest first."""
    seen, waiting = {result}, [result]
    while waiting:
        for parent in waiting.pop().inputs:
            if parent is not None and parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return sorted(seen, key=lambda tensor: tensor.born)


def layer_call(tensor: Tensor) -> Call | None:
    """The call of a layer inside of which `tensor` was computed; the outermost where layers call layers."""
    return next((call for call in tensor.scope if isinstance(call.module, Layer)), None)


def outer_inputs(tensor: Tensor, call: Call) -> list[Tensor]:
    """The tensors from outside that `call` computed `tensor` from, in order."""
    found: list[Tensor] = []
    for parent in tensor.inputs:
        if parent is None:
            continue
        if parent.op != "leaf" and layer_call(parent) is call:
            found += outer_inputs(parent, call)
        elif parent not in found:
            found.append(parent)
    return found


def _inner_results(tensors: list[Tensor]) -> set[Tensor]:
    """Results that only their own layer's call goes on with."""
    inner = set()
    for tensor in tensors:
        call = layer_call(tensor)
        for parent in tensor.inputs:
            if call is not None and parent is not None and parent.op != "leaf" and layer_call(parent) is call:
                inner.add(parent)
    return inner


def _for_any_batch(tensor: Tensor) -> tuple[str, dict]:
    """The operation and its attributes, without the number of images of the example.

    ``x.reshape(len(x), …)`` leaves the batch axis alone, and must not do so for batches of one size only.
    """
    attributes = dict(tensor.attributes)
    shape = attributes.get("shape") if tensor.op == "reshape" else None
    if not isinstance(shape, tuple) or shape[:1] != tensor.inputs[0].shape[:1]:
        return tensor.op, attributes
    return ("flatten", {}) if shape[1:] == (-1,) else ("reshape", {"shape": (0, *shape[1:])})
