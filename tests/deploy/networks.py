"""Random Programs for the tests: every op kind, odd widths, extreme numbers."""

from __future__ import annotations

import numpy as np

from tinyslim import deploy

#: Strides and channels of MobileNetV1's blocks.
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
CHANNELS = (64, 128, 128, 256, 256, 512, *[512] * 5, 1024, 1024)


class Int8Network:
    """Adds random int8 ops to a builder, keeping the shape of each value."""

    def __init__(self, seed: int, input_shape=(9, 7, 3), preprocessing=None):
        self.rng = np.random.default_rng(seed)
        self.builder = deploy.Builder("int8", input_shape, preprocessing=preprocessing)
        self.last = self.builder.add("quantize", "input", 0, scale=0.03, zero_point=self.byte())

    def byte(self) -> int:
        """A zero point near the middle, so that random nets do not drift to one end."""
        return int(self.rng.integers(100, 156))

    def rescaling(self, depth: int, channels: int) -> dict:
        """Constants that bring sums of `depth` products to bytes, and clamp now and then."""
        spread = 73 * 40 * depth**0.5
        multiplier, shift = deploy.multiplier(self.rng.uniform(20, 120, channels) / spread)
        bias = self.rng.normal(0, spread, channels).astype(np.int32)
        fraction = self.rng.integers(-128, 128, channels, np.int8)
        return {"bias": bias, "fraction": fraction, "multiplier": multiplier, "shift": shift}

    def weight(self, *shape: int) -> np.ndarray:
        return self.rng.integers(-128, 128, shape, np.int8)

    def output(self) -> dict:
        low, margin = self.rng.integers(0, 60, 2).tolist()
        return {"zero_point": self.byte(), "low": low, "high": 255 - margin}

    def add(self, kind: str, *inputs: int, **values) -> int:
        self.last = self.builder.add(kind, f"{kind} {len(self.builder.ops)}", inputs or (self.last,), **values)
        return self.last

    def conv2d(self, cin: int, cout: int, size: int, stride=1, padding=(0, 0, 0, 0), source=None) -> int:
        return self.add(
            "conv2d", *(() if source is None else (source,)), weight=self.weight(size, size, cin, cout),
            **self.rescaling(size * size * cin, cout), **self.output(), input_zero_point=self.byte(), stride=stride,
            padding=padding,
        )  # fmt: skip

    def depthwise(self, channels: int, size: int, stride=1, padding=(0, 0, 0, 0)) -> int:
        return self.add(
            "depthwise_conv2d", weight=self.weight(size, size, channels), **self.rescaling(size * size, channels),
            **self.output(), input_zero_point=self.byte(), stride=stride, padding=padding,
        )  # fmt: skip

    def logits(self, inputs: int, classes: int) -> deploy.Program:
        bias = self.rng.integers(-9999, 9999, classes).astype(np.int32)
        scale = self.rng.uniform(1e-4, 1e-3, classes).astype(np.float32)
        weight = self.weight(inputs, classes)
        self.add("logits", weight=weight, bias=bias, scale=scale, input_zero_point=self.byte())
        return self.builder.build()


def every_int8_op(seed: int, preprocessing=None) -> deploy.Program:
    """A net with a residual sum, a concat, all poolings and a hidden linear layer; widths 5, 11, 16, 27, 45."""
    net = Int8Network(seed, preprocessing=preprocessing)
    stem = net.conv2d(3, 11, 3, stride=1, padding=(1, 1, 1, 1))
    left = net.conv2d(11, 16, 3, stride=2, padding=(1, 1, 0, 2))
    net.conv2d(11, 27, 1, source=stem)
    net.depthwise(27, 3, stride=2, padding=(1, 1, 1, 1))
    right = net.conv2d(27, 16, 1)
    m1, m2, shift = deploy.add_multipliers(0.6, 0.37)
    total = net.add("add", left, right, m1=m1, m2=m2, shift=shift, zero_point_a=net.byte(), zero_point_b=net.byte(),
                    **net.output())  # fmt: skip
    pooled = net.add("max_pool2d", total, size=3, stride=1, padding=(1, 1, 1, 1))
    multiplier, shift = deploy.multiplier(1 / 9)
    mean = net.add("avg_pool2d", total, size=3, stride=1, padding=(1, 1, 1, 1), multiplier=int(multiplier),
                   shift=int(shift), input_zero_point=net.byte(), zero_point=net.byte())  # fmt: skip
    net.add("concat", pooled, mean, total)
    net.add("clip", low=3, high=250)
    net.conv2d(48, 5, 1)
    flat = net.add("flatten")
    inputs = 5 * 5 * 4
    net.add("linear", flat, weight=net.weight(inputs, 45), **net.rescaling(inputs, 45), **net.output(),
            input_zero_point=net.byte())  # fmt: skip
    return net.logits(45, 10)


def int8_mobilenet(seed: int, width=0.25, size=28, channels=1, classes=10, stem_stride=1) -> deploy.Program:
    """MobileNetV1's ops with random weights."""
    net = Int8Network(seed, (size, size, channels), preprocessing=([0.3] * channels, [0.3] * channels))
    inputs, pad = int(32 * width), (1, 1, 1, 1)
    net.conv2d(channels, inputs, 3, stem_stride, pad)
    size = (size - 1) // stem_stride + 1
    for stride, outputs in zip(STRIDES, CHANNELS, strict=True):
        net.depthwise(inputs, 3, stride, pad)
        net.conv2d(inputs, int(outputs * width), 1)
        inputs, size = int(outputs * width), (size - 1) // stride + 1
    multiplier, shift = deploy.multiplier(1 / size**2)
    net.add("global_avg_pool2d", multiplier=int(multiplier), shift=int(shift), input_zero_point=3, zero_point=3)
    return net.logits(inputs, classes)


class FloatNetwork:
    """Adds random float32 ops to a builder."""

    def __init__(self, seed: int, input_shape=(9, 7, 3), preprocessing=None):
        self.rng = np.random.default_rng(seed)
        self.builder = deploy.Builder("float32", input_shape, preprocessing=preprocessing)

    def array(self, *shape: int) -> np.ndarray:
        """Weights that keep the variance of what they multiply."""
        return (self.rng.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32)

    def add(self, kind: str, *inputs: int, **values) -> int:
        return self.builder.add(kind, f"{kind} {len(self.builder.ops)}", inputs or (len(self.builder.ops),), **values)

    def conv2d(self, cin: int, cout: int, size: int, *inputs: int, **attributes) -> int:
        weight, bias = self.array(size, size, cin, cout), self.array(cout) * 0.1
        return self.add("conv2d", *inputs, weight=weight, bias=bias, **attributes)

    def depthwise(self, channels: int, size: int, **attributes) -> int:
        weight = self.array(size, size, channels) * np.float32(channels**0.5)
        return self.add("depthwise_conv2d", weight=weight, bias=self.array(channels) * 0.1, **attributes)

    def linear(self, inputs: int, outputs: int, **attributes) -> int:
        return self.add("linear", weight=self.array(inputs, outputs), bias=self.array(outputs), **attributes)


def every_float_op(seed: int, preprocessing=None) -> deploy.Program:
    """The float32 counterpart of `every_int8_op`."""
    net, pad = FloatNetwork(seed, preprocessing=preprocessing), (1, 1, 1, 1)
    stem = net.conv2d(3, 11, 3, padding=pad, low=0.0)
    left = net.conv2d(11, 16, 3, stride=2, padding=(1, 1, 0, 2))
    net.conv2d(11, 27, 1, stem, low=0.0, high=6.0)
    net.depthwise(27, 3, stride=2, padding=pad)
    right = net.conv2d(27, 16, 1)
    total = net.add("add", left, right, low=0.0)
    pooled = net.add("max_pool2d", total, size=3, stride=1, padding=pad)
    mean = net.add("avg_pool2d", total, size=3, stride=1, padding=pad)
    net.add("concat", pooled, mean, total)
    net.add("scale_shift", scale=net.array(48) + 1, shift=net.array(48), high=4.0)
    net.add("clip", low=-1.0, high=3.0)
    net.add("flatten")
    net.linear(5 * 4 * 48, 45, low=0.0)
    net.linear(45, 10)
    return net.builder.build()


def float_mobilenet(seed: int, width=0.25, size=28, channels=1, classes=10, stem_stride=1) -> deploy.Program:
    """MobileNetV1's ops with random weights."""
    net = FloatNetwork(seed, (size, size, channels), preprocessing=([0.3] * channels, [0.3] * channels))
    inputs, window = int(32 * width), {"padding": (1, 1, 1, 1), "low": 0.0}
    net.conv2d(channels, inputs, 3, stride=stem_stride, **window)
    for stride, outputs in zip(STRIDES, CHANNELS, strict=True):
        net.depthwise(inputs, 3, stride=stride, **window)
        net.conv2d(inputs, int(outputs * width), 1, low=0.0)
        inputs = int(outputs * width)
    net.add("global_avg_pool2d")
    net.linear(inputs, classes)
    return net.builder.build()


def both_sides(seed: int, preprocessing=None) -> deploy.Program:
    """A mixed net: real numbers, bytes with a skip over a real layer, real numbers again."""
    net, real = Int8Network(seed), FloatNetwork(seed)
    net.builder = deploy.Builder("mixed", (9, 7, 3), preprocessing=preprocessing)
    stem = {"weight": real.array(3, 3, 3, 11), "bias": real.array(11)}
    net.last = net.builder.add("conv2d_float32", "stem", 0, **stem, padding=(1, 1, 1, 1), low=0.0)
    net.add("quantize", scale=0.02, zero_point=0)
    skip = net.conv2d(11, 16, 3, stride=2, padding=(1, 1, 0, 2))
    net.conv2d(16, 16, 1)
    net.add("dequantize", scale=0.01, zero_point=net.byte())
    net.add("depthwise_conv2d_float32", weight=real.array(3, 3, 16), bias=real.array(16), padding=(1, 1, 1, 1))
    middle = net.add("quantize", scale=0.02, zero_point=net.byte())
    net.add("concat", middle, skip)
    net.add("flatten")
    net.add("dequantize", scale=0.01, zero_point=net.byte())
    net.add("linear_float32", weight=real.array(5 * 4 * 32, 10), bias=real.array(10))
    return net.builder.build()
