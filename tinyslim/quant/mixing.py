"""Which parts of a network stay in real numbers when some of its layers do, and where integers must begin again."""

from __future__ import annotations

from collections.abc import Collection

from tinyslim.graph import Graph, Node

from .layers import QuantizedWeight
from .placement import KEEPING, WEIGHTED

#: They hand on what they get, real numbers or integers.
PASSING = KEEPING | {"batch_norm", "fake_quant"}


def float_layers(graph: Graph) -> set[str]:
    """The paths of the layers of a prepared network whose weights are not rounded."""
    return {node.module for node in graph if node.op in WEIGHTED and not isinstance(graph.layer(node), QuantizedWeight)}


def float_nodes(graph: Graph, layers: Collection[str]) -> set[Node]:
    """The nodes that compute in real numbers when the layers at these paths do.

    An operation without a weight follows its inputs: in real numbers if all of them are, on integers otherwise. The
    image, too, stays real where only such layers take it.
    """
    found: set[Node] = set()
    if not layers:
        return found
    for node in graph:
        if node.op == "input":
            stays = not wanted_as_integers(graph, node, {user for user in graph if user.module in layers})
        elif node.op in WEIGHTED:
            stays = node.module in layers
        else:
            stays = all(parent in found for parent in node.inputs)
        if stays:
            found.add(node)
    return found


def wanted_as_integers(graph: Graph, node: Node, floats: Collection[Node]) -> bool:
    """Whether an operation that computes on integers takes `node`, at once or through what only hands it on."""
    return any(
        wanted_as_integers(graph, user, floats) if user.op in PASSING else user not in floats
        for user in graph.users(node)
    )
