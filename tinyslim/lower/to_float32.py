"""A plain network as a float32 Program: batch norm folded, activations fused."""

from __future__ import annotations

import numpy as np

from tinyslim import deploy
from tinyslim.graph import Graph, Node
from tinyslim.quant import chain
from tinyslim.quant.folding import batch_norm_affine, fold

from .attributes import bounds, geometry, pooling
from .builder import Lowering, check_channel_axis, check_inputs, is_flatten


def lower_float32(graph: Graph, program: deploy.Builder) -> None:
    """Add to `program` the operations that compute what `graph` does in eval mode."""
    lowering = Lowering(graph, program, {graph.input: program.input})
    for node in graph.nodes[1:]:
        if node not in lowering.values:
            lower_node(lowering, node)


def lower_node(lowering: Lowering, node: Node) -> None:
    """Emit the operation of `node`, and of those behind it that fuse with it."""
    if node.op in RULES:
        RULES[node.op](lowering, node)
    elif is_flatten(node):
        lowering.values[node] = lowering.emit("flatten", node)
    else:
        raise ValueError(f"{node.name} ({node.op}) has no place in a Program")


def _finish(lowering: Lowering, members: list[Node], value: int) -> None:
    """All nodes of a chain are this one value: nobody else takes those inside it."""
    lowering.values.update(dict.fromkeys(members, value))


def _weighted(lowering: Lowering, node: Node) -> None:
    members = chain(lowering.graph, node)
    weight, affine = fold(lowering.graph, members)
    attributes = bounds(members)
    if node.op != "linear":
        attributes |= geometry(node, weight)
    folded = (weight * affine.factor).astype(np.float32)
    bias = affine.offset.astype(np.float32)
    _finish(lowering, members, lowering.emit(node.op, node, **attributes, weight=folded, bias=bias))


def _batch_norm(lowering: Lowering, node: Node) -> None:
    affine = batch_norm_affine(lowering.graph, node)
    scale, shift = (part.astype(np.float32) for part in affine)
    value = lowering.emit("scale_shift", node, scale=scale, shift=shift)
    lowering.values[node] = value


def _activation(lowering: Lowering, node: Node) -> None:
    lowering.values[node] = lowering.emit("clip", node, **bounds([node]))


def _add(lowering: Lowering, node: Node) -> None:
    check_inputs(node, 2)
    members = chain(lowering.graph, node)
    _finish(lowering, members, lowering.emit("add", node, **bounds(members)))


def _concat(lowering: Lowering, node: Node) -> None:
    check_channel_axis(node)
    lowering.values[node] = lowering.emit("concat", node)


def _pool(lowering: Lowering, node: Node) -> None:
    lowering.values[node] = lowering.emit(node.op, node, **pooling(node))


def _global_pool(lowering: Lowering, node: Node) -> None:
    lowering.values[node] = lowering.emit("global_avg_pool2d", node)


def _nothing(lowering: Lowering, node: Node) -> None:
    """Dropout does nothing in use."""
    lowering.values[node] = lowering.values[node.inputs[0]]


#: By operation.
RULES = {
    "conv2d": _weighted,
    "depthwise_conv2d": _weighted,
    "linear": _weighted,
    "batch_norm": _batch_norm,
    "relu": _activation,
    "relu6": _activation,
    "clip": _activation,
    "add": _add,
    "concat": _concat,
    "max_pool2d": _pool,
    "avg_pool2d": _pool,
    "global_avg_pool2d": _global_pool,
    "dropout": _nothing,
}
