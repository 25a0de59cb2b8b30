"""Small awkward arguments for every float kernel: the shapes on which the tests compare each kernel with its twin.

They hold what goes wrong: one pixel, primes, no image at all, filters that reach over the edge, strides that leave
pixels out, padding on one side, channels beside and beyond the width of a vector.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tinyslim.kernels import geometry, reference

#: The name of a kernel and its arguments.
Call = tuple[str, tuple]


class Normal:
    """Standard normal arrays of one dtype.

    Parameters
    ----------
    dtype : str
    seed : int
    """

    def __init__(self, dtype: str, seed: int = 0):
        self.dtype, self.rng = np.dtype(dtype), np.random.default_rng(seed)

    def __call__(self, *shape: int) -> np.ndarray:
        return self.rng.standard_normal(shape).astype(self.dtype)


class Geometry(NamedTuple):
    """A convolution: images (n, y, x, cin), filters (filter_y, filter_x, cin, cout), and how they move."""

    n: int
    y: int
    x: int
    cin: int
    cout: int
    filter_y: int = 3
    filter_x: int = 3
    stride: int = 1
    padding: object = 1
    bias: bool = False


#: (m, k, n) of matrix products.
PRODUCTS = (
    (1, 1, 1), (2, 3, 5), (13, 7, 37), (17, 1, 19), (1, 31, 1), (0, 4, 3), (4, 0, 3), (4, 3, 0), (64, 32, 64),
    (67, 129, 71), (8, 300, 33), (131, 16, 8),
)  # fmt: skip

GEOMETRIES = (
    Geometry(1, 1, 1, 1, 1, 1, 1, padding=0),
    Geometry(2, 7, 5, 3, 11, 1, 1, padding=0, bias=True),
    Geometry(1, 7, 5, 13, 33, 1, 1, stride=2, padding=0),
    Geometry(2, 5, 7, 8, 16, 1, 1, padding=1),
    Geometry(0, 5, 5, 3, 8, bias=True),
    Geometry(1, 1, 1, 2, 3, bias=True),
    Geometry(2, 9, 7, 5, 19, bias=True),
    Geometry(2, 9, 7, 5, 19, stride=2, padding="same", bias=True),
    Geometry(2, 9, 7, 5, 19, stride=2, padding=(0, 2, 1, 0), bias=True),
    Geometry(1, 8, 8, 3, 32, stride=2, padding="same"),
    Geometry(3, 11, 13, 16, 17, stride=3, padding=0),
    Geometry(1, 9, 17, 45, 64, bias=True),
    Geometry(1, 6, 6, 33, 7, 2, 2, stride=2, padding=0),
    Geometry(1, 7, 9, 4, 5, 1, 3, padding="same"),
    Geometry(1, 9, 7, 4, 5, 3, 2, padding=2, bias=True),
    Geometry(1, 11, 11, 3, 9, 5, 5, stride=2, padding=2),
    Geometry(1, 3, 3, 2, 2, padding=3),
    Geometry(5, 14, 14, 27, 8),
)  # fmt: skip


def product_calls(normal: Normal, m: int, k: int, n: int) -> Iterator[Call]:
    """A matrix product, and one whose left side is a transpose."""
    yield "gemm", (normal(m, k), normal(k, n))
    yield "gemm", (normal(k, m).T, normal(k, n))


def convolution_calls(normal: Normal, place: Geometry) -> Iterator[Call]:
    """A convolution and its two gradients, alone and together."""
    shape, weight = (
        (place.n, place.y, place.x, place.cin),
        normal(place.filter_y, place.filter_x, place.cin, place.cout),
    )
    yield from _forward_and_gradients("conv2d", normal, normal(*shape), weight, place)


def depthwise_calls(normal: Normal, place: Geometry) -> Iterator[Call]:
    """A depthwise convolution of `cin` channels and its two gradients, alone and together."""
    shape, weight = (place.n, place.y, place.x, place.cin), normal(place.filter_y, place.filter_x, place.cin)
    yield from _forward_and_gradients("depthwise_conv2d", normal, normal(*shape), weight, place)


def _forward_and_gradients(name: str, normal: Normal, x, weight, place: Geometry) -> Iterator[Call]:
    window = geometry.window(x.shape, weight.shape[:2], place.stride, place.padding)
    grad = normal(len(x), window.out_y, window.out_x, weight.shape[-1])
    bias = normal(weight.shape[-1]) if place.bias else None
    yield name, (x, weight, bias, place.stride, place.padding)
    yield f"{name}_input_gradient", (grad, weight, x.shape, place.stride, place.padding)
    yield f"{name}_weight_gradient", (x, grad, weight.shape, place.stride, place.padding)
    yield f"{name}_gradients", (x, grad, weight, place.stride, place.padding)


def other_calls(normal: Normal, shape: tuple[int, int, int, int]) -> Iterator[Call]:
    """The kernels that pool, normalise, clip and round, on images (n, y, x, c)."""
    x, grad, channels = normal(*shape), normal(*shape), shape[-1]
    out, argmax = reference.max_pool2d(x, 3, 2, 1)
    yield "max_pool2d", (x, 3, 2, 1)
    yield "max_pool2d_gradient", (out, argmax, x.shape)
    yield "avg_pool2d", (x, 3, 2, 1)
    yield "avg_pool2d_gradient", (out, x.shape, 3, 2, 1)
    scale = normal(channels)
    yield "batch_norm_statistics", (x,)
    yield "scale_shift", (x, scale, normal(channels), -1.0, 1.0)
    yield "batch_norm_gradient_sums", (grad, x, normal(channels), scale, normal(channels), 0.0, 1.0)
    yield "batch_norm_gradient", (grad, x, scale, *normal(4, channels), 0.0, 1.0)
    yield "channel_sums", (x,)
    yield "clip", (x, 0.0, 1.0)
    yield "clip_gradient", (grad, x, 0.0, 1.0)
    yield "momentum_step", (normal(*shape), grad, normal(*shape), 0.1, 0.9, 1e-2)
    yield "momentum_step", (normal(*shape), grad, normal(*shape), 0.1, 0.9, 0.0, True)
    yield "fake_quant", (x, 0.02, 128, 0, 255)
    yield "fake_quant", (x, np.abs(scale) / 99 + 1e-3, 0, -127, 127)
    yield "fake_quant_gradient", (grad, x, 0.01, 128, 0, 255)
    yield "fake_quant_gradient", (grad, x, np.abs(scale) / 99 + 1e-3, 0, -127, 127)
    yield "learned_fake_quant_gradients", (grad, x, 0.01, 128, 0, 255)
    yield "learned_fake_quant_gradients", (grad, x, np.abs(scale) / 99 + 1e-3, 0, -127, 127)
    yield "abs_max", (x,)
    yield "normalize_images", (normal.rng.integers(0, 256, shape, np.uint8), 0.5 + 0.1 * scale, 0.1 + np.abs(scale))


def float_calls(dtype: str) -> Iterator[Call]:
    """Every float kernel on every shape, in one dtype."""
    normal = Normal(dtype)
    for sizes in PRODUCTS:
        yield from product_calls(normal, *sizes)
    for place in GEOMETRIES:
        yield from convolution_calls(normal, place)
        yield from depthwise_calls(normal, place)
    for shape in ((3, 8, 7, 5), (1, 1, 1, 1), (2, 9, 13, 33)):
        yield from other_calls(normal, shape)
