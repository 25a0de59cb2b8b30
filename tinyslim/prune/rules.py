"""How channels pass through each operation: one table, and an operation that is not in it is refused.

There are two kinds of rule.

*Within a layer*, one channel has numbers in several arrays: the filter that makes it and its bias; γ, β, μ and σ² of
batch norm; the filter of a depthwise convolution. They are cut together, since all of them count the same channels.

*Between layers*, the channels that one layer makes are the channels that the next ones take. The inputs of a dense
convolution follow, and the rows of a linear layer: H·W of them for each channel after a flatten, at an offset after a
concat. Operations of one element tie the channels of all their inputs: a residual add can lose a channel only if every
branch loses it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyslim.graph import Constant, Graph, Node, Parameter

from .channels import CARRIES, MAKES, TAKES, ChannelMap

#: Takes the labels so far and a node, returns the labels of the node's result.
Rule = Callable[[ChannelMap, Node], np.ndarray]

#: Within a layer. For each operation with arrays: the layer's attribute; where a call without a layer has the array
#: (the argument's position, or an attribute); the axis that counts channels; what the layer does with these channels.
ARRAYS = {
    "conv2d": (("weight", 1, 2, TAKES), ("weight", 1, 3, MAKES), ("bias", 2, 0, CARRIES)),
    "linear": (("weight", 1, 0, TAKES), ("weight", 1, 1, MAKES), ("bias", 2, 0, CARRIES)),
    "depthwise_conv2d": (("weight", 1, 2, CARRIES), ("bias", 2, 0, CARRIES)),
    "batch_norm": (
        ("weight", 1, 0, CARRIES),
        ("bias", 2, 0, CARRIES),
        ("running_mean", "mean", 0, CARRIES),
        ("running_var", "var", 0, CARRIES),
    ),
}


def layer(channels: ChannelMap, node: Node) -> np.ndarray:
    """Label the axes of the node's own arrays."""
    try:
        paths = [channels.find(node, name, argument) for name, argument, _, _ in ARRAYS[node.op]]
    except KeyError:
        return channels.opaque(node, f"an array of {node.name} is computed or lies outside of the network")
    came = went = channels.of(node.arguments[0])
    for path, (_, _, axis, role) in zip(paths, ARRAYS[node.op], strict=True):
        if role == MAKES:
            went = channels.make(path, axis, node.op)
        elif path is not None:
            channels.lay(path, axis, role, node.op, came if role == TAKES else went)
    if node.macs:
        channels.weights[node] = paths[0]
    return went


def same(channels: ChannelMap, node: Node) -> np.ndarray:
    """Each channel by itself: activations, pooling, dropout."""
    return channels.of(node.arguments[0])


def joined(channels: ChannelMap, node: Node) -> np.ndarray:
    """Channel i of the one with channel i of the other: all inputs lose the same channels."""
    width = node.shape[-1]
    tensors = [channels.of(a) for a in node.arguments if isinstance(a, Node)]
    wide = [labels for labels in tensors if len(labels) == width]
    if not wide:
        return channels.opaque(node, f"{node.name} makes channels out of none by broadcasting")
    for labels in tensors:
        if len(labels) == width:
            channels.tie(wide[0], labels, f"{node.name} takes them channel by channel")
        else:
            channels.pin(labels, f"{node.name} spreads it over all channels")
    for argument in node.arguments:
        if isinstance(argument, Parameter) and channels.parameters[argument.path].shape[-1:] == (width,):
            axis = channels.parameters[argument.path].ndim - 1
            channels.lay(argument.path, axis, CARRIES, node.op, wide[0])
        elif isinstance(argument, Constant) and argument.array.shape[-1:] == (width,):
            channels.pin(wide[0], f"{node.name} has a constant with a number for each channel")
    return wide[0]


def flattened(channels: ChannelMap, node: Node) -> np.ndarray:
    """(n, y, x, c) → (n, y·x·c), the channel running fastest: the labels, once for each place."""
    labels = channels.of(node.arguments[0])
    return np.tile(labels, node.shape[-1] // len(labels))


def side_by_side(channels: ChannelMap, node: Node) -> np.ndarray:
    """A concat of channels puts them one behind the other; one along another axis ties the channels of its parts."""
    parts = [channels.of(argument) for argument in node.arguments]
    if node.attributes["axis"] in (-1, len(node.shape) - 1):
        return np.concatenate(parts)
    for part in parts[1:]:
        channels.tie(parts[0], part, f"{node.name} puts them one behind the other in space")
    return parts[0]


def summed(channels: ChannelMap, node: Node) -> np.ndarray:
    """A sum over space leaves the channels as they are, one over channels mixes them."""
    axis, ndim = node.attributes["axis"], len(node.arguments[0].shape)
    axes = range(ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    if any(a % ndim == ndim - 1 for a in axes):
        return channels.opaque(node, f"{node.name} mixes all channels")
    return channels.of(node.arguments[0])


def normalised(channels: ChannelMap, node: Node) -> np.ndarray:
    """A softmax over the channels would give the others what a cut one had."""
    labels = channels.of(node.arguments[0])
    if node.attributes["axis"] in (-1, len(node.shape) - 1):
        channels.pin(labels, f"{node.name} mixes all channels")
    return labels


def reshaped(channels: ChannelMap, node: Node) -> np.ndarray:
    """``reshape(…, -1)`` keeps whole channels last, as a flatten does; any other has a width in it as a number."""
    labels = channels.of(node.arguments[0])
    whole = node.attributes["shape"][-1] == -1 and node.shape[-1] % len(labels) == 0
    return np.tile(labels, node.shape[-1] // len(labels)) if whole else moved(channels, node)


def moved(channels: ChannelMap, node: Node) -> np.ndarray:
    """Where single elements went is not followed."""
    return channels.opaque(node, f"{node.name} moves channels or picks them by number")


def _each(rule: Rule, *ops: str) -> dict[str, Rule]:
    return dict.fromkeys(ops, rule)


#: The rule of every operation. A rule for one of your own is entered here.
RULES: dict[str, Rule] = {
    **_each(layer, *ARRAYS),
    **_each(same, "relu", "relu6", "clip", "sigmoid", "tanh", "exp", "log", "negate", "power", "dropout"),
    **_each(same, "max_pool2d", "avg_pool2d", "global_avg_pool2d", "pad"),
    **_each(joined, "add", "subtract", "multiply", "divide"),
    **_each(flattened, "flatten"),
    **_each(side_by_side, "concat"),
    **_each(summed, "sum", "mean"),
    **_each(normalised, "softmax", "log_softmax"),
    **_each(reshaped, "reshape"),
    **_each(moved, "transpose", "take"),
}


def follow(graph: Graph) -> ChannelMap:
    """Label the channels of every node of `graph`.

    Raises
    ------
    ValueError
        When an operation has no rule.
    """
    channels = ChannelMap(graph)
    width = graph.input.shape[-1]
    channels.labels[graph.input] = channels.pin(channels.fresh(width), "the network's input has a fixed width")
    for node in graph.nodes[1:]:
        if node.op not in RULES:
            raise ValueError(
                f"no rule says which channels the operation {node.op!r} (node {node.name!r}) passes on; "
                f"prune.RULES has {', '.join(sorted(RULES))}"
            )
        if min(len(result.shape) for result in (node, *node.inputs)) < 2:
            channels.labels[node] = channels.opaque(node, f"{node.name} leaves no channels")
        else:
            channels.labels[node] = RULES[node.op](channels, node)
    channels.pin(channels.labels[graph.output], "the network's output has a fixed width")
    return channels
