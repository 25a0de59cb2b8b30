"""Small awkward arguments for every integer kernel, as `shapes` has them for the float ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .shapes import GEOMETRIES, PRODUCTS, Call, Geometry


class Bytes:
    """Random activations, weights and the constants that bring sums back to bytes.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int = 0):
        self.rng = np.random.default_rng(seed)

    def activations(self, *shape: int) -> np.ndarray:
        return self.rng.integers(0, 256, shape, np.uint8)

    def weights(self, *shape: int) -> np.ndarray:
        return self.rng.integers(-128, 128, shape, np.int8)

    def zero_point(self) -> int:
        return int(self.rng.integers(0, 256))

    def fractions(self, channels: int) -> np.ndarray:
        return self.rng.integers(-128, 128, channels, np.int8)

    def rescaling(self, channels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(bias, multiplier, shift) of some channels."""
        bias = self.rng.integers(-5000, 5000, channels).astype(np.int32)
        multiplier = self.rng.integers(2**30, 2**31, channels).astype(np.int32)
        return bias, multiplier, self.rng.integers(36, 45, channels).astype(np.int8)


def product_calls_int8(random: Bytes, m: int, k: int, n: int) -> Iterator[Call]:
    """A product of bytes, and both kinds of linear layer."""
    a, b = random.activations(m, k), random.weights(k, n)
    yield "gemm_int8", (a, b)
    if k and n:
        bias, multiplier, shift = random.rescaling(n)
        rest = (bias, multiplier, shift, random.zero_point(), 0, 255, random.fractions(n))
        yield "linear_int8", (a, b, random.zero_point(), *rest)
        yield "logits_int8", (a, b, random.zero_point(), bias, random.rng.random(n).astype(np.float32))


def convolution_calls_int8(random: Bytes, place: Geometry) -> Iterator[Call]:
    """A convolution of bytes and a depthwise one."""
    x = random.activations(place.n, place.y, place.x, place.cin)
    dense = random.weights(place.filter_y, place.filter_x, place.cin, place.cout)
    for name, weight in (("conv2d_int8", dense), ("depthwise_conv2d_int8", np.ascontiguousarray(dense[..., 0]))):
        rescaling = random.rescaling(weight.shape[-1])
        zero_points = random.zero_point(), random.zero_point()
        rest = (zero_points[1], 3, 251, place.stride, place.padding, random.fractions(weight.shape[-1]))
        yield name, (x, weight, zero_points[0], *rescaling, *rest)


def other_calls_int8(random: Bytes, shape: tuple[int, int, int, int]) -> Iterator[Call]:
    """The integer kernels that pool, add, clip and convert, on images (n, y, x, c)."""
    x, zero_points = random.activations(*shape), random.rng.integers(0, 256, 3).tolist()
    multiplier = int(random.rng.integers(2**30, 2**31))
    yield "max_pool2d_int8", (x, 3, 2, 1)
    yield "avg_pool2d_int8", (x, 3, 2, 1, multiplier, 34, *zero_points[:2])
    yield "global_avg_pool2d_int8", (x, multiplier, 36, *zero_points[:2])
    yield "add_int8", (x, random.activations(*shape), multiplier, multiplier // 3, 31, *zero_points)
    yield "clip_int8", (x, 9, 200)
    yield "quantize", (random.rng.normal(0, 3, shape).astype(np.float32), 0.03, zero_points[0])
    yield "dequantize", (x, 0.03, zero_points[0])
    sums = random.rng.integers(-(2**20), 2**20, shape).astype(np.int32)
    yield "requantize", (sums, *random.rescaling(shape[-1]), zero_points[0], 1, 254)


def integer_calls() -> Iterator[Call]:
    """Every integer kernel on every shape."""
    random = Bytes()
    for sizes in PRODUCTS:
        yield from product_calls_int8(random, *sizes)
    for place in GEOMETRIES:
        yield from convolution_calls_int8(random, place)
    for shape in ((3, 8, 7, 5), (1, 1, 1, 1), (2, 9, 13, 33)):
        yield from other_calls_int8(random, shape)
