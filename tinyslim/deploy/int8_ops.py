"""The op kinds of an int8 Program: what each computes on bytes, and the layer of a plan that does the same.

A byte q of a value with `scale` and `zero_point` stands for scale·(q − zero_point). Scales are no part of the ops: each
multiplier·2^−shift is already the quotient of the scales on either side of its op. All the rules are on one page in
`integer_specification.md`, beside this file. `run` goes through the table of kernels, one call an op; `plan` adds the
op to a plan that runs all of them in one call.
"""

from __future__ import annotations

import math

import numpy as np

from . import kinds
from .headroom import check_mean, check_rescaling
from .kinds import REQUIRED, OpKind, Spec, frozen

#: The constants of an output channel, and where its bytes lie.
RESCALED = frozen(bias=("int32", 1), fraction=("int8", 1), multiplier=("int32", 1), shift=("int8", 1))
OUTPUT = frozen(zero_point=0, low=0, high=255)


class ByteKind(OpKind):
    """The base of the kinds that read bytes."""

    input_dtype = "uint8"

    def plan(self, op, planner, *inputs):
        """Add the op to a `kernels.planner_int8.Planner`; takes and returns its values."""
        raise NotImplementedError


class Quantize(ByteKind):
    """Real numbers to bytes: clip(rint(x/scale) + zero_point, 0, 255)."""

    attributes = frozen(scale=REQUIRED, zero_point=0)
    input_dtype = "float32"

    def output(self, op, inputs):
        return Spec(inputs[0].shape, "uint8")

    def run(self, op, table, x):
        return table.quantize(x, op.attributes["scale"], op.attributes["zero_point"])


class Dequantize(ByteKind):
    """Bytes to real numbers: (q − zero_point)·scale."""

    attributes = Quantize.attributes

    def output(self, op, inputs):
        return Spec(inputs[0].shape, "float32")

    def run(self, op, table, x):
        return table.dequantize(x, op.attributes["scale"], op.attributes["zero_point"])

    def plan(self, op, planner, x):
        return planner.dequantize(x, op.attributes["scale"], op.attributes["zero_point"])


class Conv2d(ByteKind):
    """y = clip(zero_point + ((Σ (x − input_zero_point)·w + bias + fraction/256)·m + 2^(s−1)) >> s, low, high)."""

    arrays = frozen(weight=("int8", 4), **RESCALED)
    attributes = frozen(stride=1, padding=(0, 0, 0, 0), input_zero_point=0, **OUTPUT)

    def output(self, op, inputs):
        shape = kinds.conv2d_output(op, inputs)
        check_rescaling(op)
        return Spec(shape, "uint8")

    def run(self, op, table, x):
        return table.conv2d_int8(x, **op.arrays, **op.attributes)

    def plan(self, op, planner, x):
        return planner.conv2d(x, **op.arrays, **op.attributes)


class DepthwiseConv2d(ByteKind):
    """The same with one filter a channel."""

    arrays = frozen(weight=("int8", 3), **RESCALED)
    attributes = Conv2d.attributes

    def output(self, op, inputs):
        shape = kinds.depthwise_output(op, inputs)
        check_rescaling(op)
        return Spec(shape, "uint8")

    def run(self, op, table, x):
        return table.depthwise_conv2d_int8(x, **op.arrays, **op.attributes)

    def plan(self, op, planner, x):
        return planner.depthwise_conv2d(x, **op.arrays, **op.attributes)


class Linear(ByteKind):
    """A linear layer inside the network, bytes to bytes."""

    arrays = frozen(weight=("int8", 2), **RESCALED)
    attributes = frozen(input_zero_point=0, **OUTPUT)

    def output(self, op, inputs):
        shape = kinds.linear_output(op, inputs)
        check_rescaling(op)
        return Spec(shape, "uint8")

    def run(self, op, table, x):
        return table.linear_int8(x, **op.arrays, **op.attributes)

    def plan(self, op, planner, x):
        arrays = {**op.arrays, "weight": op.arrays["weight"][None, None]}
        return planner.conv2d(x, **arrays, **op.attributes, stride=1, padding=(0, 0, 0, 0))


class Logits(ByteKind):
    """The last linear layer: float32 (Σ (x − input_zero_point)·w + bias)·scale."""

    arrays = frozen(weight=("int8", 2), bias=("int32", 1), scale=("float32", 1))
    attributes = frozen(input_zero_point=0)

    def output(self, op, inputs):
        shape = kinds.linear_output(op, inputs)
        check_rescaling(op)
        if not np.isfinite(op.arrays["scale"]).all():
            raise ValueError("`scale` must be finite")
        return Spec(shape, "float32")

    def run(self, op, table, x):
        return table.logits_int8(x, **op.arrays, **op.attributes)

    def plan(self, op, planner, x):
        return planner.logits(x, **op.arrays, **op.attributes)


class Add(ByteKind):
    """y = clip(zero_point + ((a − zero_point_a)·m1 + (b − zero_point_b)·m2 + 2^(shift−1)) >> shift, low, high)."""

    attributes = frozen(m1=REQUIRED, m2=REQUIRED, shift=REQUIRED, zero_point_a=0, zero_point_b=0, **OUTPUT)
    input_count = 2

    def output(self, op, inputs):
        return Spec(kinds.same_shapes(inputs), "uint8")

    def run(self, op, table, a, b):
        return table.add_int8(a, b, **op.attributes)

    def plan(self, op, planner, a, b):
        return planner.add(a, b, **op.attributes)


class Clip(ByteKind):
    """Bytes held between two others."""

    attributes = frozen(low=0, high=255)

    def output(self, op, inputs):
        return inputs[0]

    def run(self, op, table, x):
        return table.clip_int8(x, **op.attributes)

    def plan(self, op, planner, x):
        return planner.clip(x, **op.attributes)


class Concat(ByteKind):
    """Channels side by side; all inputs and the output share one scale and one zero point."""

    input_count = None

    def output(self, op, inputs):
        return Spec(kinds.concat_output(op, inputs), "uint8")

    def run(self, op, table, *inputs):
        return np.concatenate(inputs, axis=-1)

    def plan(self, op, planner, *inputs):
        return planner.concat(inputs)


class MaxPool2d(ByteKind):
    """The largest byte of each window."""

    attributes = frozen(size=REQUIRED, stride=REQUIRED, padding=(0, 0, 0, 0))

    def output(self, op, inputs):
        return Spec(kinds.max_pool_output(op, inputs), "uint8")

    def run(self, op, table, x):
        return table.max_pool2d_int8(x, **op.attributes)

    def plan(self, op, planner, x):
        return planner.max_pool2d(x, **op.attributes)


class AvgPool2d(ByteKind):
    """The mean of each window, padding counted as real zeros; multiplier·2^−shift holds 1/size²."""

    attributes = frozen(multiplier=REQUIRED, shift=REQUIRED, input_zero_point=0, zero_point=0, **MaxPool2d.attributes)

    def output(self, op, inputs):
        check_mean(op.attributes["size"] ** 2)
        return Spec(kinds.pool_output(op, inputs), "uint8")

    def run(self, op, table, x):
        return table.avg_pool2d_int8(x, **op.attributes)

    def plan(self, op, planner, x):
        size = op.attributes["size"]
        return planner.avg_pool2d(x, **{**op.attributes, "size": (size, size)})


class GlobalAvgPool2d(ByteKind):
    """The mean of all pixels, (h, w, c) to (c,); multiplier·2^−shift holds 1/(h·w)."""

    attributes = frozen(multiplier=REQUIRED, shift=REQUIRED, input_zero_point=0, zero_point=0)

    def output(self, op, inputs):
        height, width, channels = kinds.image(inputs)
        check_mean(height * width)
        return Spec((channels,), "uint8")

    def run(self, op, table, x):
        return table.global_avg_pool2d_int8(x, **op.attributes)

    def plan(self, op, planner, x):
        return planner.avg_pool2d(x, size=x.shape[:2], stride=1, padding=(0, 0, 0, 0), **op.attributes)


class Flatten(ByteKind):
    """(h, w, c) to (h·w·c,)."""

    def output(self, op, inputs):
        return Spec((math.prod(inputs[0].shape),), "uint8")

    def run(self, op, table, x):
        return x.reshape(len(x), math.prod(x.shape[1:]))

    def plan(self, op, planner, x):
        return planner.flatten(x)


INT8_OPS: dict[str, OpKind] = {
    "quantize": Quantize(),
    "conv2d": Conv2d(),
    "depthwise_conv2d": DepthwiseConv2d(),
    "linear": Linear(),
    "logits": Logits(),
    "add": Add(),
    "clip": Clip(),
    "concat": Concat(),
    "max_pool2d": MaxPool2d(),
    "avg_pool2d": AvgPool2d(),
    "global_avg_pool2d": GlobalAvgPool2d(),
    "flatten": Flatten(),
    "dequantize": Dequantize(),
}
