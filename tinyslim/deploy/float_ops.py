"""The op kinds of a float32 Program, each with the kernels that compute it."""

from __future__ import annotations

import math

import numpy as np

from . import kinds
from .kinds import REQUIRED, OpKind, Spec


def bounded(op, table, y: np.ndarray) -> np.ndarray:
    """`y` between the op's `low` and `high`: the activation fused into it."""
    low, high = op.attributes["low"], op.attributes["high"]
    if low is None and high is None:
        return y
    return table.clip(y, -math.inf if low is None else low, math.inf if high is None else high)


class Conv2d(OpKind):
    """y = clip(x ⋆ weight + bias, low, high)."""

    arrays = {"weight": ("float32", 4), "bias": ("float32", 1)}
    attributes = {"stride": 1, "padding": (0, 0, 0, 0), "low": None, "high": None}

    def output(self, op, inputs):
        return Spec(kinds.conv2d_output(op, inputs), "float32")

    def run(self, op, table, x):
        y = table.conv2d(x, op.arrays["weight"], op.arrays["bias"], op.attributes["stride"], op.attributes["padding"])
        return bounded(op, table, y)


class DepthwiseConv2d(OpKind):
    """The same with one filter a channel."""

    arrays = {"weight": ("float32", 3), "bias": ("float32", 1)}
    attributes = Conv2d.attributes

    def output(self, op, inputs):
        return Spec(kinds.depthwise_output(op, inputs), "float32")

    def run(self, op, table, x):
        arrays, attributes = op.arrays, op.attributes
        y = table.depthwise_conv2d(x, arrays["weight"], arrays["bias"], attributes["stride"], attributes["padding"])
        return bounded(op, table, y)


class Linear(OpKind):
    """y = clip(x @ weight + bias, low, high)."""

    arrays = {"weight": ("float32", 2), "bias": ("float32", 1)}
    attributes = {"low": None, "high": None}

    def output(self, op, inputs):
        return Spec(kinds.linear_output(op, inputs), "float32")

    def run(self, op, table, x):
        return bounded(op, table, table.gemm(x, op.arrays["weight"]) + op.arrays["bias"])


class ScaleShift(OpKind):
    """y = clip(x·scale + shift, low, high) by channel: a batch norm that no convolution could take in."""

    arrays = {"scale": ("float32", 1), "shift": ("float32", 1)}
    attributes = {"low": None, "high": None}

    def output(self, op, inputs):
        kinds.per_channel(op, inputs[0].shape[-1])
        return inputs[0]

    def run(self, op, table, x):
        low, high = op.attributes["low"], op.attributes["high"]
        low, high = -math.inf if low is None else low, math.inf if high is None else high
        return table.scale_shift(x, op.arrays["scale"], op.arrays["shift"], low, high)


class Clip(OpKind):
    """y = clip(x, low, high): an activation that no other op could take in."""

    attributes = {"low": None, "high": None}

    def output(self, op, inputs):
        return inputs[0]

    def run(self, op, table, x):
        return bounded(op, table, x)


class Add(OpKind):
    """y = clip(a + b, low, high)."""

    attributes = {"low": None, "high": None}
    input_count = 2

    def output(self, op, inputs):
        return Spec(kinds.same_shapes(inputs), "float32")

    def run(self, op, table, a, b):
        return bounded(op, table, a + b)


class Concat(OpKind):
    """Channels side by side."""

    input_count = None

    def output(self, op, inputs):
        return Spec(kinds.concat_output(op, inputs), "float32")

    def run(self, op, table, *inputs):
        return np.concatenate(inputs, axis=-1)


class MaxPool2d(OpKind):
    """The maximum of each window."""

    attributes = {"size": REQUIRED, "stride": REQUIRED, "padding": (0, 0, 0, 0)}

    def output(self, op, inputs):
        return Spec(kinds.max_pool_output(op, inputs), "float32")

    def run(self, op, table, x):
        return table.max_pool2d(x, **op.attributes)[0]


class AvgPool2d(OpKind):
    """The mean of each window, padding counted."""

    attributes = MaxPool2d.attributes

    def output(self, op, inputs):
        return Spec(kinds.pool_output(op, inputs), "float32")

    def run(self, op, table, x):
        return table.avg_pool2d(x, **op.attributes)


class GlobalAvgPool2d(OpKind):
    """The mean of all pixels, (h, w, c) to (c,)."""

    def output(self, op, inputs):
        return Spec(kinds.image(inputs)[2:], "float32")

    def run(self, op, table, x):
        return x.mean(axis=(1, 2))


class Flatten(OpKind):
    """(h, w, c) to (h·w·c,)."""

    def output(self, op, inputs):
        return Spec((math.prod(inputs[0].shape),), "float32")

    def run(self, op, table, x):
        return x.reshape(len(x), math.prod(x.shape[1:]))


FLOAT_OPS: dict[str, OpKind] = {
    "conv2d": Conv2d(),
    "depthwise_conv2d": DepthwiseConv2d(),
    "linear": Linear(),
    "scale_shift": ScaleShift(),
    "clip": Clip(),
    "add": Add(),
    "concat": Concat(),
    "max_pool2d": MaxPool2d(),
    "avg_pool2d": AvgPool2d(),
    "global_avg_pool2d": GlobalAvgPool2d(),
    "flatten": Flatten(),
}
