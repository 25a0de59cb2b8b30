"""Depthwise convolution of floats, a filter for each channel, and its two gradients."""

from __future__ import annotations

import numpy as np

from . import checks
from .buffers import empty
from .correlation import PARTS
from .deferred import written
from .depthwise_loops import backward_channels, convolve_channels, correlate_channels
from .jit import COMPILED
from .panels import Matrix, pack, padded, width
from .pointwise import add_chunks
from .table import is_swapped, kernel
from .threads import run
from .walk import Walk, columns, forward_walk, gradient_walks, offsets, output_offsets, pixel_offsets

if COMPILED:
    from .sources import source

#: Elements of a panel of a whole image, up to which both gradients share what they load.
WHOLE = 1 << 16


def convolve_channels_into(out, x, walk: Walk, weight: np.ndarray, bias: np.ndarray | None = None) -> None:
    """`convolve_channels` with a filter (filter_y, filter_x, c) that is still to be packed."""
    panels = pack(Matrix.of(weight.reshape(-1, x.shape[3])))
    tables = pixel_offsets(walk, width(x.dtype)), output_offsets(walk, out.shape)
    work, start = out.size * walk.size_y * walk.size_x, padded(bias, x.shape[3], x.dtype)
    run(work, convolve_channels, source(x), walk, panels, start, out, *tables)


def backward(x, grad, weight: np.ndarray, window) -> tuple[np.ndarray, np.ndarray]:
    """Both gradients of whole images, x and grad arrays or deferred ones."""
    panel, (n, _, in_x, c) = width(x.dtype), x.shape
    walk = forward_walk(x.shape, window, panel)._replace(band=window.out_y)
    walks = list(gradient_walks(x.shape, window, panel))
    top, left = (max(0, *(-getattr(w, name) for w, _ in walks)) for name in ("first_y", "first_x"))
    halo_y = top + max(window.out_y, *(w.first_y + w.out_y - 1 + w.size_y for w, _ in walks))
    halo_x = left + max(window.out_x, *(w.first_x + w.out_x - 1 + w.size_x for w, _ in walks))
    phases, pixels, outputs, filters = [], [], [], []
    for w, taps in walks:
        first = (w.first_y + top) * halo_x + w.first_x + left
        places = sum(map(len, pixels)), sum(map(len, filters)) // max(-(-c // panel) * panel, 1)
        phases.append((w.out_y * w.out_x, first, w.origin_y * in_x + w.origin_x, w.size_y, w.size_x, *places))
        pixels.append(offsets(w.out_y, halo_x * panel, w.out_x, panel))
        outputs.append(offsets(w.out_y, w.step * in_x * c, w.out_x, w.step * c))
        filters.append(pack(Matrix.of(np.ascontiguousarray(weight[taps][::-1, ::-1]).reshape(-1, c))))
    dx, wide, depth = empty(x.shape, x.dtype), padded(None, c, x.dtype).size, weight.shape[0] * weight.shape[1]
    partial, dw = np.zeros((min(PARTS, n), depth, wide), x.dtype), np.empty((depth, c), x.dtype)
    taps = offsets(walk.size_y, columns(walk) * panel, walk.size_x, panel)
    run(
        2 * x.size * depth, backward_channels, source(x), walk, source(grad), np.concatenate(filters),
        np.array(phases), np.concatenate(pixels), np.concatenate(outputs), (halo_y, halo_x, top * halo_x + left),
        dx, partial, taps, np.arange(depth) * wide, padded(None, c, x.dtype),
    )  # fmt: skip
    run(partial.size, add_chunks, partial, dw)
    return dx, dw.reshape(weight.shape)


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
    out = empty((x.shape[0], window.out_y, window.out_x, x.shape[3]), x.dtype)
    convolve_channels_into(out, x, forward_walk(x.shape, window, width(x.dtype)), weight, bias)
    return out


@kernel(formulas=True)
def depthwise_conv2d_gradients(x, grad, weight, stride=1, padding=0):
    """Both gradients of `depthwise_conv2d`, of x and of the weight; on small images the two share what they load.

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
    if not is_swapped() and 0 < x.size <= WHOLE * x.shape[0] * x.shape[3] // width(x.dtype) and grad.size:
        return backward(x, grad, weight, window)
    grad, x = written(grad), written(x)
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
    out = empty(input_shape, grad.dtype)
    for walk, taps in gradient_walks(input_shape, window, width(grad.dtype)):
        convolve_channels_into(out, grad, walk, np.ascontiguousarray(weight[taps][::-1, ::-1]))
    return out


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
    panel = width(x.dtype)
    walk = forward_walk(x.shape, window, panel)
    bands = -(-walk.out_y // walk.band) * x.shape[0]
    wide = padded(None, x.shape[3], x.dtype).size
    depth = walk.size_y * walk.size_x
    partial = np.zeros((min(PARTS, max(bands, 1)), depth, wide), x.dtype)
    taps = offsets(walk.size_y, columns(walk) * panel, walk.size_x, panel)
    run(grad.size * depth, correlate_channels, source(x), walk, source(grad), partial, taps, np.arange(depth) * wide)
    return np.ascontiguousarray(partial.sum(axis=0)[:, : x.shape[3]]).reshape(weight_shape)
