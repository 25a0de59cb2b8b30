"""The op kinds of a float32 Program, each with the kernels that compute it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from tinyslim import kernels
from tinyslim.kernels.prepared import Prepared

from . import kinds
from .kinds import REQUIRED, OpKind, Spec, frozen


class FloatKind(OpKind):
    """The base of the kinds that compute in real numbers."""

    def prepare(self, op, inputs: list[Spec]) -> Callable:
        """The function that a Program calls with the op's inputs again and again."""
        return partial(self.run, op, kernels)


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

    def prepare(self, op, inputs):
        return Prepared(**op.arrays, image=inputs[0].shape, **op.attributes)


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

    prepare = Conv2d.prepare


class Linear(FloatKind):
    """y = clip(x @ weight + bias, low, high)."""

    arrays = frozen(weight=("float32", 2), bias=("float32", 1))
    attributes = frozen(low=None, high=None)

    def output(self, op, inputs):
        return Spec(kinds.linear_output(op, inputs), "float32")

    def run(self, op, table, x):
        return bounded(op, table, table.gemm(x, op.arrays["weight"]) + op.arrays["bias"])

    def prepare(self, op, inputs):
        weight, bias = op.arrays["weight"][None, None], op.arrays["bias"]
        product = Prepared(weight, bias, (1, 1, *inputs[0].shape), **op.attributes)
        return lambda x: product(x)[:, 0, 0]


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


class Clip(FloatKind):
    """y = clip(x, low, high): an activation that no other op could take in."""

    attributes = frozen(low=None, high=None)

    def output(self, op, inputs):
        return inputs[0]

    def run(self, op, table, x):
        return bounded(op, table, x)


class Add(FloatKind):
    """y = clip(a + b, low, high)."""

    attributes = frozen(low=None, high=None)
    input_count = 2

    def output(self, op, inputs):
        return Spec(kinds.same_shapes(inputs), "float32")

    def run(self, op, table, a, b):
        return bounded(op, table, a + b)


class Concat(FloatKind):
    """Channels side by side."""

    input_count = None

    def output(self, op, inputs):
        return Spec(kinds.concat_output(op, inputs), "float32")

    def run(self, op, table, *inputs):
        return np.concatenate(inputs, axis=-1)


class MaxPool2d(FloatKind):
    """The maximum of each window."""

    attributes = frozen(size=REQUIRED, stride=REQUIRED, padding=(0, 0, 0, 0))

    def output(self, op, inputs):
        return Spec(kinds.max_pool_output(op, inputs), "float32")

    def run(self, op, table, x):
        return table.max_pool2d(x, **op.attributes)[0]


class AvgPool2d(FloatKind):
    """The mean of each window, padding counted."""

    attributes = MaxPool2d.attributes

    def output(self, op, inputs):
        return Spec(kinds.pool_output(op, inputs), "float32")

    def run(self, op, table, x):
        return table.avg_pool2d(x, **op.attributes)


class GlobalAvgPool2d(FloatKind):
    """The mean of all pixels, (h, w, c) to (c,)."""

    def output(self, op, inputs):
        return Spec(kinds.image(inputs)[2:], "float32")

    def run(self, op, table, x):
        return x.mean(axis=(1, 2))


class Flatten(FloatKind):
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
