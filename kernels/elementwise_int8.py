"""Between real numbers, sums and bytes: quantise, dequantise, requantise, and the sum of two tensors of bytes."""

from __future__ import annotations

import numpy as np

from . import checks_int8 as check
from .convolution_int8 import run_one_layer
from .jit import COMPILED, compiled, prange
from .planner_int8 import Planner
from .table import kernel
from .threads import run

if COMPILED:
    from .lines_int8 import add_line, requantize_line
    from .vectors_int8 import address


def as_images(x: np.ndarray) -> np.ndarray:
    """x of any shape as one image whose lines the threads can share."""
    size = x.size
    width = next((w for w in (64, 8, 2) if size % w == 0), 1)
    return x.reshape(1, size // width, width, 1)


@kernel
def quantize(x: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """Float32 numbers of any shape to bytes: clip(rint(x/scale) + zero_point, 0, 255); a NaN becomes 0.

    Examples
    --------
    >>> quantize(np.float32([-1, 0, 0.26, 99]), 0.5, 128)
    array([126, 128, 129, 255], dtype=uint8)
    """
    check.array("x", x, np.float32, *x.shape)
    check.integer("zero_point", zero_point, 0, 255)
    check.scale("scale", scale)
    if not x.size:
        return np.empty(x.shape, np.uint8)
    images = as_images(np.require(x, requirements=["C", "W"]))
    planner = Planner(images.shape[1:])
    return planner.finish(planner.quantize(scale, zero_point)).run(images).reshape(x.shape)


@kernel
def dequantize(q: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """Bytes of any shape to float32 numbers: (q − zero_point)·scale."""
    check.array("q", q, np.uint8, *q.shape)
    check.integer("zero_point", zero_point, 0, 255)
    check.scale("scale", scale)
    if not q.size:
        return np.empty(q.shape, np.float32)
    images = as_images(np.require(q, requirements=["C", "W"]))
    return run_one_layer(images, lambda planner, value: planner.dequantize(value, scale, zero_point)).reshape(q.shape)


@compiled(parallel=True)
def requantize_rows(acc, bias, multiplier, shift, zero_point, low, high, out):
    """Each thread brings some rows (r, c) of sums to bytes."""
    channels = acc.shape[1]
    for index in prange(len(acc)):
        row = np.int64(index)
        requantize_line((
            address(acc) + 4 * row * channels, address(bias), address(multiplier), address(shift),
            address(out) + row * channels, channels, zero_point, low, high,
        ))  # fmt: skip


@kernel
def requantize(acc, bias, multiplier, shift, zero_point, low=0, high=255) -> np.ndarray:
    """Bring int32 sums to bytes by one rounding: clip(zero_point + (((acc + bias)·m + 2^(s−1)) >> s), low, high).

    Parameters
    ----------
    acc : int32 array (…, c)
    bias, multiplier : int32 arrays (c,)
    shift : int8 array (c,), from 1 to 62
    zero_point, low, high : int

    Returns
    -------
    uint8 array of acc's shape. acc + bias is summed in int32, as a machine adds.
    """
    check.array("acc", acc, np.int32, *acc.shape)
    check.array("bias", bias, np.int32, acc.shape[-1])
    check.rescaling(multiplier, shift, acc.shape[-1])
    check.byte_range(zero_point, low, high)
    out = np.empty(acc.shape, np.uint8)
    if out.size:
        rows = np.require(acc, requirements=["C", "W"]).reshape(-1, acc.shape[-1])
        parameters = (np.require(array, requirements=["C", "W"]) for array in (bias, multiplier, shift))
        run(out.size, requantize_rows, rows, *parameters, zero_point, low, high, out.reshape(rows.shape))
    return out


@compiled()
def add_bytes(a, b, out, m1, m2, shift, zero_point_a, zero_point_b, zero_point, low, high):
    """The sum of `add_int8` over flat arrays."""
    rest = (m1, m2, shift, zero_point_a, zero_point_b, zero_point, low, high)
    add_line((address(a), address(b), address(out), len(a), *rest))


@kernel
def add_int8(a, b, m1, m2, shift, zero_point_a, zero_point_b, zero_point, low=0, high=255) -> np.ndarray:
    """Add two tensors of bytes of one shape that have scales of their own, with one rounding.

    y = clip(zero_point + ((a − zero_point_a)·m1 + (b − zero_point_b)·m2 + 2^(shift−1)) >> shift, low, high)

    m1·2^−shift is scale of a / scale of y, and m2·2^−shift scale of b / scale of y: both share one shift.
    """
    check.array("a", a, np.uint8, *a.shape)
    check.array("b", b, np.uint8, *a.shape)
    check.addition(m1, m2, shift)
    check.byte_range(zero_point, low, high, zero_point_a=zero_point_a, zero_point_b=zero_point_b)
    out = np.empty(a.shape, np.uint8)
    flat = (np.require(array, requirements=["C", "W"]).reshape(-1) for array in (a, b, out))
    add_bytes(*flat, m1, m2, shift, zero_point_a, zero_point_b, zero_point, low, high)
    return out


@kernel
def clip_int8(x: np.ndarray, low: int, high: int) -> np.ndarray:
    """Bytes held between two others."""
    check.array("x", x, np.uint8, *x.shape)
    check.byte_range(0, low, high)
    return np.clip(x, np.uint8(low), np.uint8(high))
