"""Which channels are one and the same: labels that are handed from node to node through the graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from tinyslim.graph import Constant, Graph, Node, Parameter

#: What a layer does with the channels that an axis of one of its arrays counts.
MAKES, CARRIES, TAKES = "makes", "carries", "takes"


@dataclass(frozen=True)
class ArrayAxis:
    """An axis of one of the network's arrays that counts channels.

    Attributes
    ----------
    path : str
        The parameter or buffer, by its dotted name.
    axis : int
    role : str
        `MAKES`, `CARRIES` or `TAKES`.
    op : str
        The operation that uses the array.
    labels : numpy.ndarray
        The label of the channel at each position, int64.
    """

    path: str
    axis: int
    role: str
    op: str
    labels: np.ndarray


@dataclass(eq=False, repr=False)
class ChannelMap:
    """The labels of the channels (the last axis) of every result, and of every array's axes that count channels.

    A layer that makes channels gives them new labels, every other operation passes labels on: a concat puts them side
    by side, a flatten repeats them. So whatever belongs to a channel can be found by its label. Labels that must be cut
    together are tied; a label whose channel can't be cut is pinned.

    Attributes
    ----------
    graph : Graph
    labels : dict
        For each node, an int64 array with one label a channel of its result; empty for a result without channels.
    axes : dict
        The array axes, by path and axis.
    weights : dict
        For each node that multiplies by a weight which can be cut, the path of it.
    ties : list
        Two arrays of labels that go together pair by pair, and why.
    pins : dict
        By label, why its channel can't be cut.
    """

    graph: Graph
    labels: dict[Node, np.ndarray] = field(default_factory=dict)
    axes: dict[tuple[str, int], ArrayAxis] = field(default_factory=dict)
    weights: dict[Node, str] = field(default_factory=dict)
    ties: list[tuple[np.ndarray, np.ndarray, str]] = field(default_factory=list)
    pins: dict[int, str] = field(default_factory=dict)
    count: int = 0

    def __post_init__(self):
        model = self.graph.model
        self.layers = dict(model.named_modules())
        self.parameters = dict(model.named_parameters())
        self.arrays = self.parameters | dict(model.named_buffers())
        # By identity: a tensor that two layers share has one path, and is cut once.
        self.path_of = {id(array): path for path, array in self.arrays.items()}

    def fresh(self, width: int) -> np.ndarray:
        """New labels."""
        self.count += width
        return np.arange(self.count - width, self.count)

    def pin(self, labels: np.ndarray, reason: str) -> np.ndarray:
        """Say why these channels can't be cut; returns their labels."""
        for label in labels.tolist():
            self.pins.setdefault(label, reason)
        return labels

    def tie(self, a: np.ndarray, b: np.ndarray, reason: str) -> None:
        """Say why the channels of `a` and `b` must be cut together, pair by pair."""
        if len(a) != len(b):
            raise ValueError(f"{reason}, but {len(a)} and {len(b)} channels can't be")
        if not np.array_equal(a, b):
            self.ties.append((a, b, reason))

    def of(self, argument: Node | Parameter | Constant) -> np.ndarray:
        """The labels of an argument's channels; what no layer makes is pinned."""
        if isinstance(argument, Node):
            return self.labels[argument]
        if isinstance(argument, Parameter):
            return self._pin_parameter(argument, f"{argument.path} takes the place of a layer's result")
        return self.pin(
            self.fresh(argument.array.shape[-1] if argument.array.ndim else 1), "a constant has a fixed width"
        )

    def _pin_parameter(self, parameter: Parameter, reason: str) -> np.ndarray:
        """Pin every axis of a parameter, in case that another use of it would cut one."""
        labels = self.fresh(0)
        for axis, width in enumerate(self.parameters[parameter.path].shape):
            labels = self.pin(self.fresh(width), reason)
            self.lay(parameter.path, axis, CARRIES, "parameter", labels)
        return labels

    def opaque(self, node: Node, reason: str) -> np.ndarray:
        """New labels for a result through which channels can't be followed; these and all that came in are pinned."""
        for argument in node.arguments:
            if isinstance(argument, Parameter):
                self._pin_parameter(argument, reason)
            elif isinstance(argument, Node):
                self.pin(self.of(argument), reason)
        return self.pin(self.fresh(node.shape[-1] if len(node.shape) > 1 else 0), reason)

    def make(self, path: str, axis: int, op: str) -> np.ndarray:
        """The labels of the channels that the weight at `path` makes: the same at every call of it."""
        if (path, axis) not in self.axes:
            self.lay(path, axis, MAKES, op, self.fresh(self.parameters[path].shape[axis]))
        return self.axes[path, axis].labels

    def lay(self, path: str, axis: int, role: str, op: str, labels: np.ndarray) -> None:
        """Lay labels along an axis of an array; where some lie already, each two are tied."""
        if (path, axis) in self.axes:
            self.tie(self.axes[path, axis].labels, labels, f"{path} is used more than once, with the same channels")
        else:
            self.axes[path, axis] = ArrayAxis(path, axis, role, op, labels)

    def find(self, node: Node, name: str, argument: int | str) -> str | None:
        """The path of an array of `node`: an attribute of its layer or, without a layer, an argument or attribute.

        Raises
        ------
        KeyError
            When it is not one of the network's own arrays.
        """
        if node.module is not None:
            value = getattr(self.layers[node.module], name)
        elif isinstance(argument, str):
            value = node.attributes[argument]
        else:
            value = node.arguments[argument] if argument < len(node.arguments) else None
        if value is None or isinstance(value, Parameter):
            return value and value.path
        return self.path_of[id(value)]

    def makers(self) -> Iterator[ArrayAxis]:
        """The axes that count the channels which a layer makes, in the order of the graph."""
        return (axis for axis in self.axes.values() if axis.role == MAKES)

    def units(self) -> np.ndarray:
        """For each label the number of its unit: labels that are tied, directly or through others, are one unit."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        none = np.zeros(0, np.int64)
        a = np.concatenate([none, *(a for a, _, _ in self.ties)])
        b = np.concatenate([none, *(b for _, b, _ in self.ties)])
        pairs = coo_array((np.ones(len(a), bool), (a, b)), shape=(self.count, self.count))
        return connected_components(pairs, directed=False)[1]
