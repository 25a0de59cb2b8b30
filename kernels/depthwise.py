"""Depthwise convolution of floats, a filter for each channel, and its two gradients."""

from __future__ import annotations

import numpy as np

from . import checks
from .buffers import empty
from .correlation import PARTS
from .depthwise_loops import backward_channels, convolve_channels
from .depthwise_plan import FIRST, LAST, backward_plan, filters_of, forward_plan, reads_in_place
from .geometry import Window
from .jit import COMPILED
from .normalization import Measured, MeasuredGradient
from .panels import padded
from .pointwise import add_chunks
from .table import is_swapped, kernel
from .threads import run, scratch
from .walk import Walk, forward_walk, gradient_walks

if COMPILED:
    from .panel_sums import MOMENTS, PASSING, combined_moments, gradient_sums, is_measured
    from .sources import PLAIN, source


def backward_walks(input_shape: tuple[int, ...], window: Window, weight: np.ndarray) -> tuple[tuple, np.ndarray]:
    """The walks over an output gradient that make the input's, and the taps (tap, c) that they take, last one first."""
    walks, taps = zip(*gradient_walks(input_shape, window, 1), strict=True)
    return walks, np.concatenate([weight[part][::-1, ::-1].reshape(-1, weight.shape[2]) for part in taps])


def convolve(x, walks: tuple[Walk, ...], taps: np.ndarray, output_shape, bias=None) -> np.ndarray:
    """x ⋆ taps + bias for an array or a deferred one."""
    out, images = empty(output_shape, x.dtype), source(x)
    if not out.size:
        return out
    c, dtype = output_shape[3], out.dtype
    direct = images.kind == PLAIN and reads_in_place(walks, output_shape, dtype)
    plan = forward_plan(walks, x.shape, output_shape, dtype, direct)
    panels = scratch(plan.elements, dtype)
    filters, start = filters_of(taps), plan.nothing if bias is None else padded(bias, c, dtype)
    bounds = dtype.type(-np.inf), dtype.type(np.inf)
    bands = len(out) * len(plan.bands) if is_measured(x) else 0
    measured = empty((bands, MOMENTS, padded(None, c, dtype).size), dtype)
    run(
        out.size * len(taps), convolve_channels, images, direct, *plan.tables, plan.block, filters, start,
        plan.nothing, plan.zeros, *bounds, panels, measured, out,
    )  # fmt: skip
    if not len(measured):
        return out
    lines = plan.bands[:, LAST] - plan.bands[:, FIRST]
    return Measured(out, *combined_moments(measured, np.tile(lines * output_shape[2], len(out)), c))


def backward(x, grad, window: Window, size: int, walks: tuple, taps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dx (n, y, x, c) by `walks`, which may be none, and the gradient (size, c) of a filter of so many taps."""
    (n, _, _, c), dtype = x.shape, np.dtype(x.dtype)
    plan = backward_plan(x.shape, grad.shape, window, walks, dtype)
    dx, dw = empty(x.shape, dtype), np.zeros((size, c), dtype)
    partial = empty((max(min(PARTS, n), 1), size, plan.pitch), dtype)
    panels = scratch(plan.elements, dtype)
    bands = n * len(plan.bands) if is_measured(x) and len(walks) else 0
    measured = empty((bands, PASSING, padded(None, c, dtype).size), dtype)
    constants = *plan.tables, plan.block, filters_of(taps), plan.nothing, plan.nothing, plan.zeros
    run(2 * grad.size * size, backward_channels, source(x), source(grad), *constants, panels, measured, partial, dx)
    run(partial.size, add_chunks, partial, dw)
    return MeasuredGradient(dx, x, gradient_sums(measured, c)) if len(measured) else dx, dw


@kernel(formulas=True)
def depthwise_conv2d(x, weight, bias=None, stride=1, padding=0):
    """Convolution with one filter a channel: (n, y, x, c) ⋆ (filter_y, filter_x, c) → (n, out_y, out_x, c).

    Parameters
    ----------
    x : float array (n, y, x, c)
    weight : array (filter_y, filter_x, c)
    bias : array (c,) or None
    stride : int
    padding : int, (top, bottom, left, right) or "same" as TensorFlow counts it

    Returns
    -------
    array (n, out_y, out_x, c) of x's dtype

    Examples
    --------
    >>> depthwise_conv2d(np.ones((1, 3, 3, 1)), np.ones((3, 3, 1)), padding=1)[0, :, :, 0].tolist()
    [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]
    """
    x, weight, bias, window = checks.depthwise_conv2d(x, weight, bias, stride, padding)
    output_shape = (x.shape[0], window.out_y, window.out_x, x.shape[3])
    return convolve(x, (forward_walk(x.shape, window, 1),), weight.reshape(-1, x.shape[3]), output_shape, bias)


@kernel(formulas=True)
def depthwise_conv2d_gradients(x, grad, weight, stride=1, padding=0):
    """Both gradients of `depthwise_conv2d`, of x and of the weight; the two share what they load.

    Parameters
    ----------
    x : float array (n, y, x, c)
    grad : array (n, out_y, out_x, c), the gradient of the output
    weight : array (filter_y, filter_x, c)
    stride, padding : as the forward pass took them

    Returns
    -------
    arrays of the shapes of x and of weight, of x's dtype
    """
    x, grad, weight, window = checks.depthwise_conv2d_gradients(x, grad, weight, stride, padding)
    if not is_swapped():
        size = weight.shape[0] * weight.shape[1]
        dx, dw = backward(x, grad, window, size, *backward_walks(x.shape, window, weight))
        return dx, dw.reshape(weight.shape)
    dx = depthwise_conv2d_input_gradient(grad, weight, x.shape, stride, padding)
    return dx, depthwise_conv2d_weight_gradient(x, grad, weight.shape, stride, padding)


@kernel(formulas=True)
def depthwise_conv2d_input_gradient(grad, weight, input_shape, stride=1, padding=0):
    """The gradient of `depthwise_conv2d`'s x: for each pixel the sum over the outputs that saw it.

    With stride s it falls into s² convolutions of stride 1 with every s-th tap (see `walk.phases`).

    Parameters
    ----------
    grad : float array (n, out_y, out_x, c), the gradient of the output
    weight : array (filter_y, filter_x, c)
    input_shape : (n, y, x, c)
    stride, padding : as the forward pass took them

    Returns
    -------
    array of `input_shape`, of grad's dtype
    """
    arguments = checks.depthwise_conv2d_input_gradient(grad, weight, input_shape, stride, padding)
    grad, weight, input_shape, window = arguments
    return convolve(grad, *backward_walks(input_shape, window, weight), input_shape)


@kernel(formulas=True)
def depthwise_conv2d_weight_gradient(x, grad, weight_shape, stride=1, padding=0):
    """The gradient of `depthwise_conv2d`'s weight: for each tap the sum over the pixels that it met.

    Parameters
    ----------
    x : float array (n, y, x, c)
    grad : array (n, out_y, out_x, c), the gradient of the output
    weight_shape : (filter_y, filter_x, c)
    stride, padding : as the forward pass took them

    Returns
    -------
    array of `weight_shape`, of x's dtype
    """
    x, grad, weight_shape, window = checks.depthwise_conv2d_weight_gradient(x, grad, weight_shape, stride, padding)
    none = np.zeros((0, x.shape[3]), x.dtype)
    return backward(x, grad, window, weight_shape[0] * weight_shape[1], (), none)[1].reshape(weight_shape)
