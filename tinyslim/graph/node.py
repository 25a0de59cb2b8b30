"""A network as a list of nodes: what each computes, from what, and in which layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Parameter:
    """An argument of a node that is a parameter of the network, by its dotted name."""

    path: str


@dataclass(frozen=True)
class Neighbour:
    """An argument of a node that is another layer of the network, by its path: the node's layer reads its arrays."""

    path: str


@dataclass(frozen=True, eq=False)
class Constant:
    """An argument of a node that is the same array for every image."""

    array: np.ndarray


@dataclass(eq=False)
class Node:
    """One operation.

    Attributes
    ----------
    name : str
        Unique in its graph: the layer's path, or the operation's name with a number.
    op : str
        The operation: "conv2d", "add", …; "input" for the network's input.
    arguments : tuple
        What goes in, in order: a Node, a Parameter, a Constant, a Neighbour, or None for one left out.
    attributes : dict
        The operation's other arguments.
    module : str or None
        The path of the layer that this is a call of; None for a function called in somebody's `forward`.
    shape : tuple of int
        Of the result, with the batch that was traced.
    params, macs : int
        Weights of this node, and multiplications with addition that it takes for one image.
    returned_by : tuple of str
        The paths of the modules above the layers that returned this very result, such as a whole block.
    """

    name: str
    op: str
    arguments: tuple = ()
    attributes: dict = field(default_factory=dict)
    module: str | None = None
    shape: tuple[int, ...] = ()
    params: int = 0
    macs: int = 0
    returned_by: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The nodes among the arguments."""
        return tuple(argument for argument in self.arguments if isinstance(argument, Node))

    def __repr__(self) -> str:
        inputs = ", ".join(node.name for node in self.inputs)
        return f"{self.name}: {self.op}({inputs}) → {' × '.join(map(str, self.shape[1:]))}"


@dataclass(eq=False)
class Graph:
    """Nodes in an order in which each follows its inputs.

    Attributes
    ----------
    nodes : list of Node
        The first is the input.
    output : Node
    model : Module
        The network whose layers the nodes' `module` paths name.
    """

    nodes: list[Node]
    output: Node
    model: object

    @property
    def input(self) -> Node:
        return self.nodes[0]

    def __iter__(self):
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, name: str) -> Node:
        """The node of this name."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise ValueError(f"no node is named {name!r}; there are {', '.join(node.name for node in self.nodes)}")

    def users(self, node: Node) -> list[Node]:
        """The nodes that take the result of `node`."""
        return [user for user in self.nodes if any(argument is node for argument in user.arguments)]

    def layer(self, node: Node):
        """The layer that `node` is a call of, or None."""
        return None if node.module is None else self.model.get(node.module)

    def neighbour(self, node: Node):
        """The other layer whose arrays that of `node` reads, or None."""
        return next((self.model.get(a.path) for a in node.arguments if isinstance(a, Neighbour)), None)

    def tensor(self, node: Node, name: str, position: int):
        """A parameter of a node: attribute `name` of its layer, or its argument at `position`; None if it has none."""
        if node.module is not None:
            return getattr(self.layer(node), name)
        argument = node.arguments[position] if position < len(node.arguments) else None
        if isinstance(argument, Parameter):
            return dict(self.model.named_parameters())[argument.path]
        return None

    def insert_after(self, node: Node, new: Node) -> None:
        """Put `new` behind `node`: whoever took the result of `node` takes that of `new`."""
        new.arguments = (node,)
        for user in self.users(node):
            user.arguments = tuple(new if argument is node else argument for argument in user.arguments)
        if self.output is node:
            self.output = new
        self.nodes.insert(self.nodes.index(node) + 1, new)

    def replace(self, choose: Callable[[Node], Node | None]) -> None:
        """Let each node for which `choose` gives another be replaced by that one, wherever it is taken."""
        swaps = {node: other for node in self.nodes if (other := choose(node)) is not None}
        self.nodes = [swaps.get(node, node) for node in self.nodes]
        for node in self.nodes:
            node.arguments = tuple(swaps.get(a, a) if isinstance(a, Node) else a for a in node.arguments)
        self.output = swaps.get(self.output, self.output)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.nodes))
