"""Pooling of bytes: the maximum needs no scale, a mean is a sum that is brought to the output's scale."""

from __future__ import annotations

import numpy as np

from . import checks, geometry
from . import checks_int8 as check
from .convolution_int8 import run_one_layer
from .table import kernel


@kernel
def max_pool2d_int8(x: np.ndarray, size: int, stride: int, padding=0) -> np.ndarray:
    """The largest byte of each window of `size` × `size`, x (n, h, w, c); padding never wins."""
    check.array("x", x, np.uint8, None, None, None, None)
    place = checks.max_pool_window(x, size, stride, padding)
    sides = (place.top, place.bottom, place.left, place.right)
    return run_one_layer(x, lambda planner, value: planner.max_pool2d(value, size, stride, sides))


@kernel
def avg_pool2d_int8(x, size, stride, padding, multiplier, shift, input_zero_point, zero_point) -> np.ndarray:
    """The mean of each window of `size` × `size`, x (n, h, w, c), where padding counts as real zeros.

    y = clip(zero_point + (Σ (x − input_zero_point)·multiplier + 2^(shift−1)) >> shift, 0, 255), so multiplier·2^−shift
    is scale of x / (scale of y · size²).
    """
    check.array("x", x, np.uint8, None, None, None, None)
    check.addition(multiplier, 0, shift)
    check.byte_range(zero_point, 0, 255, input_zero_point=input_zero_point)
    place = geometry.window(x.shape, size, stride, padding)
    sides = (place.top, place.bottom, place.left, place.right)
    rescaling = (multiplier, shift, input_zero_point, zero_point)
    return run_one_layer(x, lambda planner, value: planner.avg_pool2d(value, (size, size), stride, sides, *rescaling))


@kernel
def global_avg_pool2d_int8(x, multiplier, shift, input_zero_point, zero_point) -> np.ndarray:
    """The mean of each image's pixels, x (n, h, w, c) to (n, c), as in `avg_pool2d_int8` with h·w for size²."""
    check.array("x", x, np.uint8, None, None, None, None)
    check.addition(multiplier, 0, shift)
    check.byte_range(zero_point, 0, 255, input_zero_point=input_zero_point)
    rescaling = (multiplier, shift, input_zero_point, zero_point)
    pooled = run_one_layer(
        x, lambda planner, value: planner.avg_pool2d(value, x.shape[1:3], 1, (0, 0, 0, 0), *rescaling)
    )
    return pooled[:, 0, 0]
