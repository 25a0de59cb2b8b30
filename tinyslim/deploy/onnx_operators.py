"""The ONNX operator of each op kind, for real numbers: an int8 Program surrounds the same ones with quantisers.

ONNX counts images (n, c, h, w), filters (cout, cin, kh, kw), and padding (top, left, bottom, right).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .onnx_graph import GraphWriter, Value

#: Stores an array of an op, by name, in ONNX's layout, given the axis of its output channels; returns a name of reals.
Parameter = Callable[[str, np.ndarray, int], str]


def window(op, size: tuple[int, int]) -> dict:
    """The attributes that say where a window stands."""
    top, bottom, left, right = op.attributes["padding"]
    stride = op.attributes["stride"]
    return {"kernel_shape": size, "strides": (stride, stride), "pads": (top, left, bottom, right)}


def convolve(graph: GraphWriter, op, x: Value, weight: np.ndarray, group: int, parameter: Parameter) -> Value:
    """A convolution with the filters `weight` (kh, kw, cin of a group, cout)."""
    filters = parameter("weight", weight.transpose(3, 2, 0, 1), 0)
    inputs = [x.name, filters, parameter("bias", op.arrays["bias"], 0)]
    return Value(graph.node("Conv", inputs, op.name, group=group, **window(op, weight.shape[:2])))


def conv2d(graph, op, inputs, shapes, parameter) -> Value:
    return convolve(graph, op, *inputs, op.arrays["weight"], 1, parameter)


def depthwise_conv2d(graph, op, inputs, shapes, parameter) -> Value:
    weight = op.arrays["weight"]
    return convolve(graph, op, *inputs, weight[:, :, None], weight.shape[2], parameter)


def linear(graph, op, inputs, shapes, parameter) -> Value:
    """The rows of the weight follow the order in which the features come."""
    (x,), weight = inputs, op.arrays["weight"]
    rows = weight if x.order is None else weight[x.order]
    arguments = [x.name, parameter("weight", rows, 1), parameter("bias", op.arrays["bias"], 0)]
    return Value(graph.node("Gemm", arguments, op.name))


def scale_shift(graph, op, inputs, shapes, parameter) -> Value:
    """As the batch norm that it was: with mean 0 and variance 1, so that whoever reads the file can train it again."""
    (x,), (scale, shift) = inputs, (op.arrays["scale"], op.arrays["shift"])
    if x.order is not None:
        scale, shift = scale[x.order], shift[x.order]
    arrays = {"weight": scale, "bias": shift, "mean": np.zeros_like(scale), "var": np.ones_like(scale)}
    names = [parameter(name, array, 0) for name, array in arrays.items()]
    return Value(graph.node("BatchNormalization", [x.name, *names], op.name, epsilon=0.0), x.order)


def clip(graph, op, inputs, shapes, parameter) -> Value:
    """Nothing but the bounds, which are written behind every op."""
    return inputs[0]


def add(graph, op, inputs, shapes, parameter) -> Value:
    a, b = inputs
    if not np.array_equal(a.order, b.order):
        a, b = graph.in_our_order(a), graph.in_our_order(b)
    return Value(graph.node("Add", [a.name, b.name], op.name), a.order)


def concat(graph, op, inputs, shapes, parameter) -> Value:
    name = graph.node("Concat", [x.name for x in inputs], op.name, axis=1)
    if all(x.order is None for x in inputs):
        return Value(name)
    ends = np.cumsum([shape[-1] for shape in shapes])
    orders = [np.arange(shape[-1]) if x.order is None else x.order for x, shape in zip(inputs, shapes, strict=True)]
    return Value(name, np.concatenate([order + end - len(order) for order, end in zip(orders, ends, strict=True)]))


def max_pool2d(graph, op, inputs, shapes, parameter) -> Value:
    size = op.attributes["size"]
    return Value(graph.node("MaxPool", [inputs[0].name], op.name, **window(op, (size, size))))


def avg_pool2d(graph, op, inputs, shapes, parameter) -> Value:
    size = op.attributes["size"]
    place = window(op, (size, size))
    return Value(graph.node("AveragePool", [inputs[0].name], op.name, count_include_pad=1, **place))


def global_avg_pool2d(graph, op, inputs, shapes, parameter) -> Value:
    pooled = graph.node("GlobalAveragePool", [inputs[0].name], op.name)
    return Value(graph.node("Flatten", [pooled], f"{op.name}.flatten"))


def flatten(graph, op, inputs, shapes, parameter) -> Value:
    name, (shape,) = graph.node("Flatten", [inputs[0].name], op.name), shapes
    if len(shape) == 1:
        return Value(name, inputs[0].order)
    order = np.arange(math.prod(shape)).reshape(shape).transpose(2, 0, 1).reshape(-1)
    return Value(name, None if shape[:2] == (1, 1) else order)


OPERATORS: dict[str, Callable[..., Value]] = {
    "conv2d": conv2d,
    "depthwise_conv2d": depthwise_conv2d,
    "linear": linear,
    "logits": linear,
    "scale_shift": scale_shift,
    "clip": clip,
    "add": add,
    "concat": concat,
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "global_avg_pool2d": global_avg_pool2d,
    "flatten": flatten,
}


def bounded(graph: GraphWriter, op, x: Value, low: float | None, high: float | None) -> Value:
    """`x` between two numbers, either of which may be None: an activation."""
    if low is None and high is None:
        return x
    if low == 0 and high is None:
        return Value(graph.node("Relu", [x.name], f"{op.name}.relu"), x.order)
    ends = [
        "" if end is None else graph.constant(f"{op.name}.{name}", np.float32(end))
        for name, end in (("low", low), ("high", high))
    ]
    return Value(graph.node("Clip", [x.name, *ends], f"{op.name}.clip"), x.order)


def write_real(graph: GraphWriter, op, operator: str, inputs: list[Value], shapes) -> Value:
    """Append an op of real numbers, which ONNX calls as `OPERATORS` has it under the name `operator`."""

    def store(name: str, array: np.ndarray, axis: int) -> str:
        return graph.constant(f"{op.name}.{name}", array)

    x = OPERATORS[operator](graph, op, inputs, shapes, store)
    return bounded(graph, op, x, op.attributes.get("low"), op.attributes.get("high"))
