"""Depthwise convolution of floats, a filter for each channel, and its two gradients."""

from __future__ import annotations

import numpy as np

from . import checks
from .buffers import empty
from .correlation import PARTS
from .jit import COMPILED, compiled, prange
from .panels import Matrix, pack, pack_panel, padded, width
from .table import kernel
from .threads import run
from .walk import Walk, columns, columns_inside, forward_walk, gradient_walks, offsets, output_offsets, pixel_offsets

if COMPILED:
    from .moves import clear, copy_panel, panel_width
    from .register_tile import CHANNEL_ROWS, CHANNEL_VECTORS, channels_narrow, channels_wide


@compiled()
def copy_block(x, image, walk, first, channel, band):
    """band (lines, columns, panel) ← a panel of channels of the input under the output rows from `first`."""
    _, in_y, in_x, c = x.shape
    flat, panel = x.reshape(-1), panel_width(x)
    span = (walk.out_x - 1) * walk.stride + walk.size_x
    top = walk.first_y + first * walk.stride
    for line in range((min(walk.band, walk.out_y - first) - 1) * walk.stride + walk.size_y):
        begin, end = columns_inside(walk, top + line, in_y, in_x, span)
        source = ((image * in_y + top + line) * in_x + walk.first_x) * c + channel
        target = line * span * panel
        clear(band, target, begin * panel)
        for column in range(begin, end):
            copy_panel(flat, source + column * c, c - channel, band, target + column * panel)
        clear(band, target + end * panel, (span - end) * panel)


@compiled()
def multiply_channels(
    left, rows, count, depth, right, right_at, start, start_at, start_step, out, out_at, out_rows, channels
):
    """(count, channels) ← Σ over depth of left (count, depth, channels) · right (depth, channels), of one panel."""
    panel = panel_width(out)
    wide = CHANNEL_VECTORS * panel // 2
    for channel in range(0, channels, wide):
        rest = channels - channel
        for row in range(0, count, CHANNEL_ROWS):
            tile_rows, begin = min(CHANNEL_ROWS, count - row), start_at + channel + row * start_step
            if 2 * rest > panel:
                channels_wide(
                    left, channel, rows, row, tile_rows, depth, right, right_at + channel, panel,
                    start, begin, start_step, out, out_at + channel, out_rows, rest,
                )  # fmt: skip
            else:
                channels_narrow(
                    left, channel, rows, row, tile_rows, depth, right, right_at + channel, panel,
                    start, begin, start_step, out, out_at + channel, out_rows, rest,
                )  # fmt: skip


@compiled(parallel=True)
def convolve_channels(x, walk, panels, start, out, pixels, outputs):
    """out (n, y, x, c) ← x (n, y, x, c) ⋆ packed (filter_y·filter_x, c): a panel of channels of a band at a time."""
    n, _, _, c = x.shape
    _, image_y, image_x, _ = out.shape
    flat, panel = out.reshape(-1), panel_width(x)
    line = ((walk.out_x - 1) * walk.stride + walk.size_x) * panel
    size = ((walk.band - 1) * walk.stride + walk.size_y) * line
    taps = (walk.size_y, line, walk.size_x, panel)
    bands, blocks = (walk.out_y + walk.band - 1) // walk.band, (c + panel - 1) // panel
    for item in prange(n * bands * blocks):
        place, channel = np.int64(item) // blocks, np.int64(item) % blocks * panel
        image, first = place // bands, place % bands * walk.band
        band = np.empty(size, x.dtype)
        copy_block(x, image, walk, first, channel, band)
        out_at = ((image * image_y + walk.origin_y + first * walk.step) * image_x + walk.origin_x) * c + channel
        count = min(walk.band, walk.out_y - first) * walk.out_x
        multiply_channels(
            band, pixels, count, taps, panels, channel * walk.size_y * walk.size_x,
            start, channel, 0, flat, out_at, outputs, min(panel, c - channel),
        )  # fmt: skip


@compiled(parallel=True)
def correlate_channels(x, walk, grad, partial, taps, rows):
    """partial (chunk, filter_y·filter_x, c) ← patches of x (n, y, x, c) times grad (n, out_y, out_x, c), summed."""
    n, _, _, c = x.shape
    chunks, depth, wide = partial.shape
    grads, sums, panel = grad.reshape(-1), partial.reshape(-1), panel_width(x)
    line = ((walk.out_x - 1) * walk.stride + walk.size_x) * panel
    size = ((walk.band - 1) * walk.stride + walk.size_y) * line
    bands, blocks = (walk.out_y + walk.band - 1) // walk.band, (c + panel - 1) // panel
    for item in prange(chunks * blocks):
        chunk, channel = np.int64(item) // blocks, np.int64(item) % blocks * panel
        channels, place = min(panel, c - channel), chunk * depth * wide + channel
        band, packed = np.empty(size, x.dtype), np.empty(walk.band * walk.out_x * panel, x.dtype)
        for index in range(chunk * n * bands // chunks, (chunk + 1) * n * bands // chunks):
            image, first = index // bands, index % bands * walk.band
            count = min(walk.band, walk.out_y - first)
            copy_block(x, image, walk, first, channel, band)
            at = (image * walk.out_y + first) * walk.out_x * c + channel
            pack_panel(grads, c, 1, at, count * walk.out_x, channels, packed, 0)
            steps = (count, walk.stride * line, walk.out_x, walk.stride * panel)
            multiply_channels(
                band, taps, depth, steps, packed, 0, sums, place, wide, sums, place, rows, channels
            )  # fmt: skip


def convolve_channels_into(out, x, walk: Walk, weight: np.ndarray, bias: np.ndarray | None = None) -> None:
    """`convolve_channels` with a filter (filter_y, filter_x, c) that is still to be packed."""
    panels = pack(Matrix.of(weight.reshape(-1, x.shape[3])))
    tables = pixel_offsets(walk, width(x.dtype)), output_offsets(walk, out.shape)
    work, start = out.size * walk.size_y * walk.size_x, padded(bias, x.shape[3], x.dtype)
    run(work, convolve_channels, x, walk, panels, start, out, *tables)


@kernel
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
    out = empty((len(x), window.out_y, window.out_x, x.shape[3]), x.dtype)
    convolve_channels_into(out, x, forward_walk(x.shape, window, width(x.dtype)), weight, bias)
    return out


@kernel
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


@kernel
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
    bands = -(-walk.out_y // walk.band) * len(x)
    wide = padded(None, x.shape[3], x.dtype).size
    depth = walk.size_y * walk.size_x
    partial = np.zeros((min(PARTS, max(bands, 1)), depth, wide), x.dtype)
    taps = offsets(walk.size_y, columns(walk) * panel, walk.size_x, panel)
    run(grad.size * depth, correlate_channels, x, walk, grad, partial, taps, np.arange(depth) * wide)
    return np.ascontiguousarray(partial.sum(axis=0)[:, : x.shape[3]]).reshape(weight_shape)
