"""What the ladders are climbed with: arguments that awkward shapes make, and sizes that are timed.

All numbers are small whole ones, also where they are floats: every sum is exact whatever its order, and one
multiply-add too few is seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: (m, k, n) of matrix products, from what Python loops can do to what the fastest need.
PRODUCT_SIZES = ((32, 32, 32), (256, 256, 256), (1024, 1024, 1024))
ODD_PRODUCTS = ((1, 1, 1), (2, 7, 3), (13, 1, 37), (17, 70, 65), (67, 5, 131))

#: (n, side, cin, cout) of convolutions with 3 × 3 filters, stride 1, padding 1; depthwise: (n, side, c).
CONVOLUTION_SIZES = ((1, 7, 8, 16), (1, 28, 64, 64), (4, 56, 64, 64))
DEPTHWISE_SIZES = ((1, 7, 32), (1, 56, 128), (16, 56, 128))
#: (n, y, x, cin, cout, filter_y, filter_x, stride, padding)
ODD_CONVOLUTIONS = (
    (1, 1, 1, 1, 1, 1, 1, 1, 0), (2, 7, 5, 3, 5, 3, 3, 1, 1), (1, 5, 7, 17, 35, 3, 2, 2, (0, 1, 2, 1)),
    (1, 6, 9, 7, 2, 1, 3, 2, "same"), (1, 11, 11, 2, 3, 5, 5, 1, 2),
)  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """Arguments of a kernel.

    Attributes
    ----------
    label : str
        The size in a few words.
    arguments : tuple
    operations : int
        Multiplications and additions.
    bytes : int
        The least traffic with memory: each argument read once, the result written once.
    """

    label: str
    arguments: tuple
    operations: int
    bytes: int


def whole_numbers(rng: np.random.Generator, dtype, *shape: int) -> np.ndarray:
    """From −4 to 4 as floats, and all that there are as bytes."""
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    return rng.integers(-4, 5, shape).astype(dtype)


def product(rng, left, right, m: int, k: int, n: int) -> Problem:
    """(m, k) · (k, n)."""
    arguments = whole_numbers(rng, left, m, k), whole_numbers(rng, right, k, n)
    sums = 4 * m * n * (np.dtype(left).itemsize // 4 or 1)
    return Problem(f"{m}×{k}×{n}", arguments, 2 * m * k * n, sums + sum(a.nbytes for a in arguments))


def convolution(rng, dtype, n, y, x, channels, filter_y, filter_x, stride, padding, biased: bool) -> Problem:
    """`channels` is (cin, cout), or (c,) of a depthwise one."""
    from tinyslim.kernels.geometry import window

    images = whole_numbers(rng, dtype, n, y, x, channels[0])
    weight = whole_numbers(rng, dtype, filter_y, filter_x, *channels)
    bias = whole_numbers(rng, dtype, channels[-1]) if biased else None
    place = window(images.shape, (filter_y, filter_x), stride, padding)
    outputs = n * place.out_y * place.out_x * channels[-1]
    operations = 2 * outputs * weight.size // channels[-1]
    label = f"{n}×{y}×{x}×" + "→".join(map(str, channels))
    arguments = images, weight, bias, stride, padding
    return Problem(label, arguments, operations, images.nbytes + weight.nbytes + outputs * images.itemsize)


def sizes(ladder: str) -> list[Problem]:
    """The sizes that a ladder's rungs are timed with, the smallest first."""
    rng = np.random.default_rng(0)
    if ladder in ("gemm", "gemm_int8"):
        types = (np.float32, np.float32) if ladder == "gemm" else (np.uint8, np.int8)
        return [product(rng, *types, *size) for size in PRODUCT_SIZES]
    shapes = CONVOLUTION_SIZES if ladder == "conv2d" else DEPTHWISE_SIZES
    return [convolution(rng, np.float32, n, s, s, channels, 3, 3, 1, 1, biased=False) for n, s, *channels in shapes]


def odd_shapes(ladder: str) -> list[Problem]:
    """Small awkward shapes in float32 and float64, or in bytes."""
    rng = np.random.default_rng(0)
    if ladder == "gemm_int8":
        return [product(rng, np.uint8, np.int8, *shape) for shape in ODD_PRODUCTS]
    if ladder == "gemm":
        return [product(rng, dtype, dtype, *shape) for dtype in (np.float32, np.float64) for shape in ODD_PRODUCTS]
    problems = []
    for dtype in (np.float32, np.float64):
        for n, y, x, cin, cout, *rest in ODD_CONVOLUTIONS:
            channels = (cin, cout) if ladder == "conv2d" else (cin * cout,)
            problems.append(convolution(rng, dtype, n, y, x, channels, *rest, biased=True))
    return problems
