"""The op kinds of a float32 Program: what each computes, and the layer of a plan that does the same.

`run` goes through the table of kernels, one call an op; `plan` adds the op to a plan that runs all of them in one call.
"""

from __future__ import annotations

import math

import numpy as np

from . import kinds
from .kinds import REQUIRED, OpKind, Spec, frozen


class FloatKind(OpKind):
    """The base of the kinds that compute in real numbers."""

    def plan(self, op, planner, *inputs):
        """Add the op to a `kernels.planner_float.Planner`; takes and returns its values."""
        raise NotImplementedError


def bounded(op, table, y: np.ndarray) -> np.ndarray:
    """`y` between the op's `low` and `high`: the activation fused into it."""
    low, high = op.attributes["low"], op.attributes["high"]
    if low is None and high is None:
        return y
    return table.clip(y, -math.inf if low is None else low, math.inf if high is None else high)


class Conv2d(FloatKind):
    """y = clip(x ⋆ weight + bias, low, high)."""

    arrays = frozen(weight=("float32", 4), bias=("float32", 1))
    attributes = frozen(stride=1, padding=(0, 0, 0, 0), low=None, high=None)

    def output(self, op, inputs):
        return Spec(kinds.conv2d_output(op, inputs), "float32")

    def run(self, op, table, x):
        y = table.conv2d(x, op.arrays["weight"], op.arrays["bias"], op.attributes["stride"], op.attributes["padding"])
        return bounded(op, table, y)

    def plan(self, op, planner, x):
        return planner.conv2d(x, **op.arrays, **op.attributes)


class DepthwiseConv2d(FloatKind):
    """The same with one filter a channel."""

    arrays = frozen(weight=("float32", 3), bias=("float32", 1))
    attributes = Conv2d.attributes

    def output(self, op, inputs):
        return Spec(kinds.depthwise_output(op, inputs), "float32")

    def run(self, op, table, x):
        arrays, attributes = op.arrays, op.attributes
        y = table.depthwise_conv2d(x, arrays["weight"], arrays["bias"], attributes["stride"], attributes["padding"])
        return bounded(op, table, y)

    def plan(self, op, planner, x):
        return planner.depthwise_conv2d(x, **op.arrays, **op.attributes)


class Linear(FloatKind):
    """y = clip(x @ weight + bias, low, high)."""

    arrays = frozen(weight=("float32", 2), bias=("float32", 1))
    attributes = frozen(low=None, high=None)

    def output(self, op, inputs):
        return Spec(kinds.linear_output(op, inputs), "float32")

    def run(self, op, table, x):
        return bounded(op, table, table.gemm(x, op.arrays["weight"]) + op.arrays["bias"])

    def plan(self, op, planner, x):
        weight, bias = op.arrays["weight"][None, None], op.arrays["bias"]
        return planner.conv2d(x, weight, bias, stride=1, padding=(0, 0, 0, 0), **op.attributes)


class ScaleShift(FloatKind):
    """y = clip(x·scale + shift, low, high) by channel: a batch norm that no convolution could take in."""

    arrays = frozen(scale=("float32", 1), shift=("float32", 1))
    attributes = frozen(low=None, high=None)

    def output(self, op, inputs):
        kinds.per_channel(op, inputs[0].shape[-1])
        return inputs[0]

    def run(self, op, table, x):
        low, high = op.attributes["low"], op.attributes["high"]
        low, high = -math.inf if low is None else low, math.inf if high is None else high
        return table.scale_shift(x, op.arrays["scale"], op.arrays["shift"], low, high)

    def plan(self, op, planner, x):
        return planner.scale_shift(x, **op.arrays, **op.attributes)


class Clip(FloatKind):
    """y = clip(x, low, high): an activation that no other op could take in."""

    attributes = frozen(low=None, high=None)

    def output(self, op, inputs):
        return inputs[0]

    def run(self, op, table, x):
        return bounded(op, table, x)

    def plan(self, op, planner, x):
        return planner.clip(x, **op.attributes)


class Add(FloatKind):
    """y = clip(a + b, low, high)."""

    attributes = frozen(low=None, high=None)
    input_count = 2

    def output(self, op, inputs):
        return Spec(kinds.same_shapes(inputs), "float32")

    def run(self, op, table, a, b):
        return bounded(op, table, a + b)

    def plan(self, op, planner, a, b):
        return planner.add(a, b, **op.attributes)


class Concat(FloatKind):
    """Channels side by side."""

    input_count = None

    def output(self, op, inputs):
        return Spec(kinds.concat_output(op, inputs), "float32")

    def run(self, op, table, *inputs):
        return np.concatenate(inputs, axis=-1)

    def plan(self, op, planner, *inputs):
        return planner.concat(inputs)


class MaxPool2d(FloatKind):
    """The maximum of each window."""

    attributes = frozen(size=REQUIRED, stride=REQUIRED, padding=(0, 0, 0, 0))

    def output(self, op, inputs):
        return Spec(kinds.max_pool_output(op, inputs), "float32")

    def run(self, op, table, x):
        return table.max_pool2d(x, **op.attributes)[0]

    def plan(self, op, planner, x):
        return planner.max_pool2d(x, **op.attributes)


class AvgPool2d(FloatKind):
    """The mean of each window, padding counted."""

    attributes = MaxPool2d.attributes

    def output(self, op, inputs):
        return Spec(kinds.pool_output(op, inputs), "float32")

    def run(self, op, table, x):
        return table.avg_pool2d(x, **op.attributes)

    def plan(self, op, planner, x):
        size = op.attributes["size"]
        return planner.avg_pool2d(x, **{**op.attributes, "size": (size, size)})


class GlobalAvgPool2d(FloatKind):
    """The mean of all pixels, (h, w, c) to (c,)."""

    def output(self, op, inputs):
        return Spec(kinds.image(inputs)[2:], "float32")

    def run(self, op, table, x):
        return x.mean(axis=(1, 2))

    def plan(self, op, planner, x):
        return planner.avg_pool2d(x, size=x.shape[:2], stride=1, padding=(0, 0, 0, 0))


class Flatten(FloatKind):
    """(h, w, c) to (h·w·c,)."""

    def output(self, op, inputs):
        return Spec((math.prod(inputs[0].shape),), "float32")

    def run(self, op, table, x):
        return x.reshape(len(x), math.prod(x.shape[1:]))

    def plan(self, op, planner, x):
        return planner.flatten(x)


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
