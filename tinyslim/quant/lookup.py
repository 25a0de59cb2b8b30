"""Which grid the integers of a node are on, in a prepared network."""

from __future__ import annotations

import numpy as np

from tinyslim.graph import Graph, Node

from .grid import Grid
from .placement import KEEPING, chain


def quantizer_behind(graph: Graph, node: Node) -> Node | None:
    """The quantiser of `node`, or that of the concat (and activation) it goes into: they share one grid."""
    users = graph.users(node)
    for user in users:
        if user.op == "fake_quant":
            return user
    if len(users) == 1 and users[0].op == "concat":
        return quantizer_behind(graph, chain(graph, users[0])[-1])
    return None


def grid_of(graph: Graph, node: Node) -> Grid | None:
    """The grid of the integers that stand for `node`'s result; None if it is a real number."""
    if node.op == "fake_quant":
        return graph.layer(node).grid()
    # A pooling keeps the grid of its input even where it goes into a concat: there it is brought to the concat's.
    if node.op in KEEPING | {"reshape"} and (kept := grid_of(graph, node.inputs[0])) is not None:
        return kept
    quantizer = quantizer_behind(graph, chain(graph, node)[-1])
    if quantizer is not None:
        return graph.layer(quantizer).grid()
    keeps = node.op in {"concat", "avg_pool2d", "global_avg_pool2d"}
    return grid_of(graph, node.inputs[0]) if keeps and node.inputs else None


def integers(x: np.ndarray, grid: Grid) -> np.ndarray:
    """The integers that fake quantisation rounds `x` to, as it computes them: uint8.

    Examples
    --------
    >>> from tinyslim.quant.grid import Grid
    >>> integers(np.float32([-9, 0.24, 0.76]), Grid(0.5, 3, 0, 255))
    array([0, 3, 5], dtype=uint8)
    """
    return np.clip(np.rint(x / x.dtype.type(grid.scale)) + grid.zero_point, grid.qmin, grid.qmax).astype(np.uint8)
