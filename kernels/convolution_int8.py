"""Convolutions and linear layers on bytes. Each is a plan of one layer: a Program's plan runs the same code."""

from __future__ import annotations

import numpy as np

from . import checks_int8 as check
from . import geometry
from .planner_int8 import Planner, Value
from .table import kernel


def run_one_layer(x: np.ndarray, layer) -> np.ndarray:
    """Run the plan of one layer, which `layer(planner, value)` adds, on bytes x (n, h, w, c)."""
    planner = Planner(x.shape[1:])
    return planner.finish(layer(planner, planner.input_bytes())).run(x)


@kernel
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
    """Convolve bytes, and bring each channel's sums to the output's scale by one rounding.

    y = clip(zero_point + ((Σ (x − input_zero_point)·w + bias + fraction/256)·m + 2^(s−1)) >> s, low, high)

    Parameters
    ----------
    x : uint8 array (n, h, w, cin)
    weight : int8 array (kh, kw, cin, cout)
    input_zero_point, zero_point : int
        The bytes that stand for 0 in x and in the output; padding holds the former.
    bias, multiplier : int32 arrays (cout,)
    shift : int8 array (cout,)
        From 1 to 62; multiplier·2^−shift = scale of x · scale of the weight / scale of the output (Jacob et al. 2018).
    low, high : int
        Bounds of the output: a fused ReLU or ReLU6.
    stride : int
    padding : int, (top, bottom, left, right) or "same"
    fraction : int8 array (cout,), optional
        What biases of whole steps leave over, in 256ths; 0 where multiplier·2^−shift is 512 or more.

    Returns
    -------
    uint8 array (n, h', w', cout)
    """
    check.array("weight", weight, np.int8, None, None, None, None)
    zero_points = {"zero_point": zero_point, "low": low, "high": high, "input_zero_point": input_zero_point}
    check.convolution(x, weight, bias, multiplier, shift, zero_points, weight.shape[2])
    fraction = check.fraction(fraction, multiplier, shift)
    place = geometry.window(x.shape, weight.shape[:2], stride, padding)
    sides = (place.top, place.bottom, place.left, place.right)

    def layer(planner: Planner, value: Value) -> Value:
        output = {"zero_point": zero_point, "low": low, "high": high}
        arguments = (value, weight, input_zero_point, bias, fraction, multiplier, shift, stride, sides)
        return planner.conv2d(*arguments, **output)

    return run_one_layer(x, layer)


@kernel
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
    """Convolve each channel of bytes with its own filter, weight (kh, kw, c); the rest as in `conv2d_int8`."""
    check.array("weight", weight, np.int8, None, None, None)
    zero_points = {"zero_point": zero_point, "low": low, "high": high, "input_zero_point": input_zero_point}
    check.convolution(x, weight, bias, multiplier, shift, zero_points, weight.shape[2])
    fraction = check.fraction(fraction, multiplier, shift)
    place = geometry.window(x.shape, weight.shape[:2], stride, padding)
    sides = (place.top, place.bottom, place.left, place.right)

    def layer(planner: Planner, value: Value) -> Value:
        output = {"zero_point": zero_point, "low": low, "high": high}
        arguments = (value, weight, input_zero_point, bias, fraction, multiplier, shift, stride, sides)
        return planner.depthwise_conv2d(*arguments, **output)

    return run_one_layer(x, layer)


@kernel
def linear_int8(
    x, weight, input_zero_point, bias, multiplier, shift, zero_point, low=0, high=255, fraction=None
) -> np.ndarray:
    """Linear layer of bytes x (n, cin), weight (cin, cout): a convolution of images of one pixel."""
    check.array("x", x, np.uint8, None, None)
    check.array("weight", weight, np.int8, x.shape[1], None)
    rest = (bias, multiplier, shift, zero_point, low, high)
    return conv2d_int8(x[:, None, None], weight[None, None], input_zero_point, *rest, fraction=fraction)[:, 0, 0]


@kernel
def logits_int8(x, weight, input_zero_point, bias, scale) -> np.ndarray:
    """The last linear layer, in real numbers.

    Parameters
    ----------
    x : uint8 array (n, cin)
    weight : int8 array (cin, cout)
    input_zero_point : int
    bias : int32 array (cout,)
    scale : float32 array (cout,)
        What one step of the sum is worth: scale of x · scale of the class's weights.

    Returns
    -------
    float32 array (n, cout), (Σ (x − input_zero_point)·w + bias)·scale
    """
    check.array("x", x, np.uint8, None, None)
    check.array("weight", weight, np.int8, x.shape[1], None)
    check.array("bias", bias, np.int32, weight.shape[1])
    check.array("scale", scale, np.float32, weight.shape[1])
    check.integer("input_zero_point", input_zero_point, 0, 255)

    def layer(planner: Planner, value: Value) -> Value:
        return planner.logits(value, weight, input_zero_point, bias, scale)

    return run_one_layer(x[:, None, None], layer)[:, 0, 0]
