"""Where quantisers go, so that everything between the first and the last can run on integers.

A convolution, the batch norm and the ReLU behind it become one integer operation, whose sum is brought to its output's
grid once. So one quantiser stands behind each such chain, none inside. Operations that choose or move elements
(max pooling, flatten) keep their input's grid; those that compute new values (add, average pooling) need their own.
"""

from __future__ import annotations

from tinyslim.graph import Graph, Node

WEIGHTED = {"conv2d", "depthwise_conv2d", "linear"}
ACTIVATIONS = {"relu", "relu6", "clip"}
#: They compute values that are on no grid yet.
COMPUTING = WEIGHTED | {"add", "concat", "avg_pool2d", "global_avg_pool2d", "input"}
#: They hand on integers of their input's grid.
KEEPING = {"max_pool2d", "flatten", "dropout"} | ACTIVATIONS


def chain(graph: Graph, node: Node) -> list[Node]:
    """`node` and the batch norm and activation behind it that become one operation with it.

    Only the last of a chain may be taken by others: an intermediate result that somebody else needs ends it.
    """
    members = [node]
    foldable = {"batch_norm"} if node.op in WEIGHTED else set()
    while True:
        users = graph.users(members[-1])
        fits = len(users) == 1 and users[0].op in foldable | ACTIVATIONS and members[-1] is not graph.output
        if not fits or members[-1].op in ACTIVATIONS:
            return members
        members.append(users[0])
        foldable = set()


def quantized_places(graph: Graph) -> list[Node]:
    """The nodes behind which a quantiser belongs, in order.

    Raises
    ------
    ValueError
        Names a node that integers can't compute.
    """
    places, covered = [], set()
    for node in graph:
        if node in covered:
            continue
        members = chain(graph, node) if node.op in COMPUTING - {"input"} else [node]
        covered.update(members)
        _check_supported(graph, node)
        if node.op in COMPUTING and members[-1] is not graph.output and not _feeds_concat(graph, members[-1]):
            places.append(members[-1])
    return places


def _check_supported(graph: Graph, node: Node) -> None:
    if node.op not in COMPUTING | KEEPING:
        hint = "; it must stand right behind a convolution or linear layer" if node.op == "batch_norm" else ""
        raise ValueError(f"{node.name} ({node.op}) can't run on integers{hint}")
    if node.op == "add" and len(node.inputs) != 2:
        raise ValueError(f"{node.name} (add) can run on integers only if both its inputs are computed from the image")
    if node.op == "concat" and node.attributes["axis"] not in (-1, len(node.shape) - 1):
        raise ValueError(f"{node.name} (concat) can run on integers only along the channels")


def _feeds_concat(graph: Graph, node: Node) -> bool:
    """What goes into a concat and nowhere else shares its grid: the one quantiser stands behind it.

    What goes elsewhere too has a grid of its own, and is brought to the concat's when it comes there.
    """
    return [user.op for user in graph.users(node)] == ["concat"]


def is_non_negative(node: Node) -> bool:
    """Whether no value of `node` can be below 0, as the operations tell."""
    if node.op in {"relu", "relu6", "sigmoid"}:
        return True
    if node.op == "clip" and node.attributes["low"] is not None and node.attributes["low"] >= 0:
        return True
    passes = KEEPING | {"add", "concat", "avg_pool2d", "global_avg_pool2d", "fake_quant"}
    return node.op in passes and bool(node.inputs) and all(is_non_negative(parent) for parent in node.inputs)
