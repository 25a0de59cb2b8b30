"""Plain twins of the int8 kernels, in NumPy int64: what every byte must be.

A real number r stands as r = scale·(q − zero_point). Products of bytes are summed exactly, and one rounding brings the
sum to the output's scale: q = zero_point + ((sum·m + 2^(s−1)) >> s), held between `low` and `high` (Jacob et al. 2018,
section 2.2, with m·2^−s for their M).
"""

from __future__ import annotations

import numpy as np

from .. import checks_int8 as check
from .. import geometry


def gemm_int8(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a (m, k) uint8 times b (k, n) int8 in int32."""
    check.array("a", a, np.uint8, None, None)
    check.array("b", b, np.int8, a.shape[1], None)
    return (a.astype(np.int64) @ b.astype(np.int64)).astype(np.int32)


def rescale(
    total: np.ndarray, multiplier, shift, zero_point: int, low: int = 0, high: int = 255, fraction=0
) -> np.ndarray:
    """Int64 sums to bytes: the one rounding, half up, of (total + fraction/256)·multiplier·2^−shift.

    ⌊fraction·multiplier/256⌋ is exact enough: what it drops is less than 1, and the shift drops it anyhow.
    """
    multiplier, shift = np.asarray(multiplier, np.int64), np.asarray(shift, np.int64)
    rest = np.asarray(fraction, np.int64) * multiplier >> 8
    rounded = (total.astype(np.int64) * multiplier + rest + (np.int64(1) << (shift - 1))) >> shift
    return np.clip(rounded + zero_point, low, high).astype(np.uint8)


def requantize(acc, bias, multiplier, shift, zero_point, low=0, high=255) -> np.ndarray:
    """Sums acc (…, c) int32 to bytes, by channel."""
    check.array("acc", acc, np.int32, *acc.shape)
    check.array("bias", bias, np.int32, acc.shape[-1])
    check.rescaling(multiplier, shift, acc.shape[-1])
    check.byte_range(zero_point, low, high)
    return rescale(acc + bias, multiplier, shift, zero_point, low, high)


def quantize(x: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """Float32 to bytes: clip(rint(x/scale) + zero_point, 0, 255); a NaN becomes 0."""
    check.array("x", x, np.float32, *x.shape)
    check.integer("zero_point", zero_point, 0, 255)
    q = np.rint(x / check.scale("scale", scale)) + np.float32(zero_point)
    return np.where(q > 0, np.minimum(q, np.float32(255)), np.float32(0)).astype(np.uint8)


def dequantize(q: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """Bytes to float32: (q − zero_point)·scale."""
    check.array("q", q, np.uint8, *q.shape)
    check.integer("zero_point", zero_point, 0, 255)
    return (q.astype(np.int32) - zero_point).astype(np.float32) * check.scale("scale", scale)


def taps(x: np.ndarray, size: tuple[int, int], stride: int, padding):
    """Yield (filter_y, filter_x, view) of the zero-padded x (n, h, w, c): what each tap of a window meets."""
    place = geometry.window(x.shape, size, stride, padding)
    x = np.pad(x, ((0, 0), (place.top, place.bottom), (place.left, place.right), (0, 0)))
    for filter_y in range(place.size_y):
        for filter_x in range(place.size_x):
            rows = slice(filter_y, filter_y + (place.out_y - 1) * place.stride + 1, place.stride)
            columns = slice(filter_x, filter_x + (place.out_x - 1) * place.stride + 1, place.stride)
            yield filter_y, filter_x, x[:, rows, columns]


def conv2d_int8(
    x,
    weight,
    input_zero_point,
    bias,
    multiplier,
    shift,
    zero_point,
    low=0,
    high=255,
    stride=1,
    padding=0,
    fraction=None,
) -> np.ndarray:
    """Convolution of bytes x (n, h, w, cin) with weight (kh, kw, cin, cout); padding is the input's zero point."""
    check.array("weight", weight, np.int8, None, None, None, None)
    zero_points = {"zero_point": zero_point, "low": low, "high": high, "input_zero_point": input_zero_point}
    check.convolution(x, weight, bias, multiplier, shift, zero_points, weight.shape[2])
    fraction = check.fraction(fraction, multiplier, shift)
    centred, total = x.astype(np.int64) - input_zero_point, np.int64(0)
    for filter_y, filter_x, view in taps(centred, weight.shape[:2], stride, padding):
        total = total + view @ weight[filter_y, filter_x].astype(np.int64)
    return rescale(total + bias, multiplier, shift, zero_point, low, high, fraction)


def depthwise_conv2d_int8(
    x,
    weight,
    input_zero_point,
    bias,
    multiplier,
    shift,
    zero_point,
    low=0,
    high=255,
    stride=1,
    padding=0,
    fraction=None,
) -> np.ndarray:
    """Depthwise convolution of bytes x (n, h, w, c) with weight (kh, kw, c)."""
    check.array("weight", weight, np.int8, None, None, None)
    zero_points = {"zero_point": zero_point, "low": low, "high": high, "input_zero_point": input_zero_point}
    check.convolution(x, weight, bias, multiplier, shift, zero_points, weight.shape[2])
    fraction = check.fraction(fraction, multiplier, shift)
    centred, total = x.astype(np.int64) - input_zero_point, np.int64(0)
    for filter_y, filter_x, view in taps(centred, weight.shape[:2], stride, padding):
        total = total + view * weight[filter_y, filter_x].astype(np.int64)
    return rescale(total + bias, multiplier, shift, zero_point, low, high, fraction)


def linear_int8(
    x, weight, input_zero_point, bias, multiplier, shift, zero_point, low=0, high=255, fraction=None
) -> np.ndarray:
    """Linear layer of bytes x (n, cin) with weight (cin, cout)."""
    check.array("x", x, np.uint8, None, None)
    check.array("weight", weight, np.int8, x.shape[1], None)
    rest = (bias, multiplier, shift, zero_point, low, high)
    return conv2d_int8(x[:, None, None], weight[None, None], input_zero_point, *rest, fraction=fraction)[:, 0, 0]


def logits_int8(x, weight, input_zero_point, bias, scale) -> np.ndarray:
    """The last linear layer in real numbers: float32 (sum + bias)·scale, with one float32 scale a class."""
    check.array("x", x, np.uint8, None, None)
    check.array("weight", weight, np.int8, x.shape[1], None)
    check.array("bias", bias, np.int32, weight.shape[1])
    check.array("scale", scale, np.float32, weight.shape[1])
    check.integer("input_zero_point", input_zero_point, 0, 255)
    total = (x.astype(np.int64) - input_zero_point) @ weight.astype(np.int64) + bias
    return total.astype(np.int32).astype(np.float32) * scale


def add_int8(a, b, m1, m2, shift, zero_point_a, zero_point_b, zero_point, low=0, high=255) -> np.ndarray:
    """Sum of two tensors of bytes: ((a − Za)·m1 + (b − Zb)·m2 + 2^(shift−1)) >> shift, from the output's zero point."""
    check.array("a", a, np.uint8, *a.shape)
    check.array("b", b, np.uint8, *a.shape)
    check.addition(m1, m2, shift)
    check.byte_range(zero_point, low, high, zero_point_a=zero_point_a, zero_point_b=zero_point_b)
    total = (a.astype(np.int64) - zero_point_a) * m1 + (b.astype(np.int64) - zero_point_b) * m2
    return rescale(total, 1, shift, zero_point, low, high)


def max_pool2d_int8(x: np.ndarray, size: int, stride: int, padding=0) -> np.ndarray:
    """The largest byte of each window; padding never wins."""
    check.array("x", x, np.uint8, None, None, None, None)
    return np.max([view for _, _, view in taps(x, (size, size), stride, padding)], axis=0)


def avg_pool2d_int8(x, size, stride, padding, multiplier, shift, input_zero_point, zero_point) -> np.ndarray:
    """The mean of each window, padding counted as real zeros; multiplier·2^−shift holds 1/size² and the scales."""
    check.array("x", x, np.uint8, None, None, None, None)
    check.addition(multiplier, 0, shift)
    check.byte_range(zero_point, 0, 255, input_zero_point=input_zero_point)
    centred, total = x.astype(np.int64) - input_zero_point, np.int64(0)
    for _, _, view in taps(centred, (size, size), stride, padding):
        total = total + view
    return rescale(total, multiplier, shift, zero_point)


def global_avg_pool2d_int8(x, multiplier, shift, input_zero_point, zero_point) -> np.ndarray:
    """The mean of each image's pixels, x (n, h, w, c) to (n, c); multiplier·2^−shift holds 1/(h·w) and the scales."""
    check.array("x", x, np.uint8, None, None, None, None)
    check.addition(multiplier, 0, shift)
    check.byte_range(zero_point, 0, 255, input_zero_point=input_zero_point)
    total = x.astype(np.int64).sum(axis=(1, 2)) - x.shape[1] * x.shape[2] * input_zero_point
    return rescale(total, multiplier, shift, zero_point)


def clip_int8(x: np.ndarray, low: int, high: int) -> np.ndarray:
    """Bytes held between two others."""
    check.array("x", x, np.uint8, *x.shape)
    check.byte_range(0, low, high)
    return np.clip(x, low, high).astype(np.uint8)
