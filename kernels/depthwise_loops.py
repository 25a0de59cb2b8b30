"""The loops of depthwise convolution: bands of lines with their padding in the cache, in them pairs of lines."""

from __future__ import annotations

import numpy as np

from .depthwise_plan import ANY, BOTTOM, FIRST, LAST, SPREAD, STRIDE_1, TOP
from .jit import COMPILED, compiled, prange

if COMPILED:
    from numba import get_thread_id

    from .channel_tile import ROWS as TILE
    from .channel_tile import VECTORS, channels_narrow, channels_wide
    from .depthwise_tile import LINES, lines_spread, lines_stride_1, lines_stride_2, met_stride_1, met_stride_2
    from .moves import clear, panel_width
    from .panel_sums import measure_block, measure_gradient
    from .sources import load_line


@compiled()
def multiply_channels(
    left, left_at, rows, count, depth, left_steps, right, right_at, right_steps,
    start, start_at, start_rows, out, out_at, out_rows, channels, low, high,
):  # fmt: skip
    """(count, channels) ← Σ over depth of left · right, tile by tile, as `channel_tile.channel_tile` names them."""
    panel = panel_width(out)
    wide = VECTORS * panel // 2
    for channel in range(0, channels, wide):
        rest, begin, end = channels - channel, start_at + channel, out_at + channel
        for row in range(0, count, TILE):
            tile_rows = min(TILE, count - row)
            if 2 * rest > panel:
                channels_wide(
                    left, left_at + channel, rows, row, tile_rows, depth, left_steps, right, right_at + channel,
                    right_steps, start, begin, start_rows, out, end, out_rows, rest, low, high,
                )  # fmt: skip
            else:
                channels_narrow(
                    left, left_at + channel, rows, row, tile_rows, depth, left_steps, right, right_at + channel,
                    right_steps, start, begin, start_rows, out, end, out_rows, rest, low, high,
                )  # fmt: skip


@compiled()
def fill_pairs(
    tile, left, left_at, line, step, corner, extent, nothing, first, last, filters, filter_at, filter_step,
    start, start_at, out, out_at, out_line, out_step, pixels, channels, low, high,
):  # fmt: skip
    """out ← its lines from `first` to `last`, two at a time; where they are odd, one is computed twice.

    `left_at`, `out_at`: of pixel (0, 0). `corner`: the pixel that output (0, 0) sees first. Beyond `extent` are zeros.
    """
    top, side = corner
    for pair in range(first, last, LINES):
        y = min(pair, last - LINES)
        place = out_at + y * out_line
        if tile == STRIDE_1:
            lines_stride_1(
                left, left_at, line, step, (top + y, side), extent, nothing, filters, filter_at, filter_step,
                start, start_at, out, place, out_line, out_step, pixels, channels, low, high,
            )  # fmt: skip
        elif tile == SPREAD:
            lines_spread(
                left, left_at, line, step, (top + y // 2, side), extent, nothing, filters, filter_at, filter_step,
                start, start_at, out, place, out_line, out_step, pixels, channels, low, high,
            )  # fmt: skip
        else:
            lines_stride_2(
                left, left_at, line, step, (top + 2 * y, side), extent, nothing, filters, filter_at, filter_step,
                start, start_at, out, place, out_line, out_step, pixels, channels, low, high,
            )  # fmt: skip


@compiled()
def fill_lines(
    walks, pixels, outputs, left, left_at, line, step, first, last, filters, filter_at, filter_step,
    start, start_at, zeros, out, out_at, out_line, out_step, channels, low, high,
):  # fmt: skip
    """out ← its lines from `first` to `last` by any filters, a line of a walk at a time."""
    tap = 0
    for walk in range(len(walks)):
        size_y, size_x, stride, apart = walks[walk, 0], walks[walk, 1], walks[walk, 2], walks[walk, 10]
        first_y, first_x, out_y, out_x = walks[walk, 3], walks[walk, 4], walks[walk, 5], walks[walk, 6]
        origin_y, origin_x = walks[walk, 8], walks[walk, 9]
        begin, end = (first - origin_y + apart - 1) // apart, (last - origin_y + apart - 1) // apart
        for y in range(max(begin, 0), min(end, out_y)):
            place = out_at + (origin_y + y * apart) * out_line + origin_x * out_step
            multiply_channels(
                left, left_at + (first_y + y * stride) * line + first_x * step, pixels, out_x, (size_y, size_x),
                (line, step), filters, filter_at + tap * filter_step, (size_x * filter_step, filter_step),
                start, start_at, zeros, out, place, outputs, channels, low, high,
            )  # fmt: skip
        tap += size_y * size_x


@compiled()
def fill(
    tile, walks, pixels, outputs, left, left_at, line, step, extent, nothing, first, last, filters, start, channel,
    zeros, out, image, channels, low, high,
):  # fmt: skip
    """out (n, y, x, c) ← lines of an image, so many channels from `channel` on; filters (tap, c filled up)."""
    _, y, x, c = out.shape
    flat, taps, filter_step, out_at = out.reshape(-1), filters.reshape(-1), filters.shape[1], image * y * x * c
    if tile == ANY or last - first < LINES:
        fill_lines(
            walks, pixels, outputs, left, left_at, line, step, first, last, taps, channel, filter_step,
            start, channel, zeros, flat, out_at + channel, x * c, c, channels, low, high,
        )  # fmt: skip
    else:
        fill_pairs(
            tile, left, left_at, line, step, (walks[0, 3], walks[0, 4]), extent, nothing, first, last,
            taps, channel, filter_step, start, channel, flat, out_at + channel, x * c, c, x, channels, low, high,
        )  # fmt: skip


@compiled()
def load_padded(x, image, channel, channels, top, bottom, margins, padded_x, step, target):
    """target (line, padded_x, step) ← lines of an image with `margins` (top, left) of zeros around, some channels."""
    _, in_y, in_x, c = x.data.shape
    above, left = margins
    for line in range(bottom - top):
        y, at = top + line - above, line * padded_x * step
        if 0 <= y < in_y:
            clear(target, at, left * step)
            place = (image * in_y + y) * in_x * c + channel
            load_line(x, place, c, channel, channels, target, at + left * step, step, in_x)
            clear(target, at + (left + in_x) * step, (padded_x - left - in_x) * step)
        else:
            clear(target, at, padded_x * step)


@compiled(parallel=True)
def convolve_channels(
    x, direct, tile, margins, extent, step, walks, bands, pixels, outputs, block, filters, start, nothing, zeros,
    low, high, panels, measured, out,
):  # fmt: skip
    """out (n, y, x, c) ← clip(x ⋆ filters + start, low, high), a band of lines and a block of channels at a time.

    The band's input is read where it lies, if `direct`, or else from a copy in the cache. `measured` (band of an image,
    3, c filled up) takes up each band's moments, if it is not empty.
    """
    n, out_y, out_x, c = out.shape
    _, in_y, in_x, _ = x.data.shape
    blocks, line, images = (c + block - 1) // block, extent[1] * step, x.data.reshape(-1)
    for item in prange(n * blocks * len(bands)):
        part, band = np.int64(item) // len(bands), np.int64(item) % len(bands)
        image, channel = part // blocks, part % blocks * block
        channels, top, scratch = min(block, c - channel), bands[band, TOP], panels[get_thread_id()]
        left, left_at = images, image * in_y * in_x * c + channel
        if not direct:
            left, left_at = scratch, -top * line
            load_padded(x, image, channel, channels, top, bands[band, BOTTOM], margins, extent[1], step, scratch)
        fill(
            tile, walks, pixels, outputs, left, left_at, line, step, extent, nothing, bands[band, FIRST],
            bands[band, LAST], filters, start, channel, zeros, out, image, channels, low, high,
        )  # fmt: skip
        if len(measured):
            first, lines = image * out_y + bands[band, FIRST], bands[band, LAST] - bands[band, FIRST]
            measure_block(out, first * out_x, lines * out_x, channel, channels, measured[image * len(bands) + band])


@compiled()
def meet(
    tile, stride, taps, left, left_at, line, step, grads, grads_at, grad_line, first, last, out_x,
    sums, sums_at, sums_step, places, channels,
):  # fmt: skip
    """sums (tap, c filled up) += Σ over lines of output gradients of what a tap meets, times the gradient there.

    `left_at`: what line 0 sees; `grads_at`: where line 0 begins.
    """
    bound = sums.dtype.type(np.inf)
    if tile == ANY:
        multiply_channels(
            left, left_at + first * stride * line, taps, len(taps), (last - first, out_x),
            (stride * line, stride * step), grads, grads_at + first * grad_line, (grad_line, step),
            sums, sums_at, places, sums, sums_at, places, channels, -bound, bound,
        )  # fmt: skip
        return
    for y in range(first, last, LINES):
        place, at = left_at + y * stride * line, grads_at + y * grad_line
        if tile == STRIDE_1:
            met_stride_1(left, place, line, step, grads, at, grad_line, step, sums, sums_at, sums_step, out_x, channels)
        else:
            met_stride_2(left, place, line, step, grads, at, grad_line, step, sums, sums_at, sums_step, out_x, channels)


@compiled(parallel=True)
def backward_channels(
    x, grad, own, pull, taps, places, block, filters, start, nothing, zeros, panels, measured, partial, dx,
):  # fmt: skip
    """partial (chunk, tap, c filled up) ← each chunk of images' weight gradient; dx (n, y, x, c) by `pull`'s walks.

    Both read a band of an image and of its gradient while they are in the cache. `measured` (band of an image, 2, c
    filled up) takes up the sums of each band of dx, if it is not empty.
    """
    tile, margins, (_, padded_x), step, walks, bands, _, _ = own
    pull_tile, around, extent, _, pull_walks, pull_bands, pixels, outputs = pull
    n, in_y, in_x, c = x.data.shape
    out_x, (chunks, size, wide) = grad.data.shape[2], partial.shape
    line, grad_line, sums, bound = padded_x * step, extent[1] * step, partial.reshape(-1), partial.dtype.type(np.inf)
    blocks, half = (c + block - 1) // block, (bands[:, BOTTOM] - bands[:, TOP]).max() * line
    for item in prange(chunks * blocks):
        chunk, channel = np.int64(item) // blocks, np.int64(item) % blocks * block
        channels, sums_at = min(block, c - channel), chunk * size * wide + channel
        left, right = panels[get_thread_id(), :half], panels[get_thread_id(), half:]
        for tap in range(size):
            clear(sums, sums_at + tap * wide, min(block, wide - channel))
        for image in range(chunk * n // chunks, (chunk + 1) * n // chunks):
            for band in range(len(bands)):
                top, grad_top = bands[band, TOP], pull_bands[band, TOP]
                load_padded(x, image, channel, channels, top, bands[band, BOTTOM], margins, padded_x, step, left)
                load_padded(
                    grad, image, channel, channels, grad_top, pull_bands[band, BOTTOM], around, extent[1], step, right
                )
                meet(
                    tile, walks[0, 2], taps, left, (walks[0, 3] - top) * line + walks[0, 4] * step, line, step,
                    right, (around[0] - grad_top) * grad_line + around[1] * step, grad_line,
                    bands[band, FIRST], bands[band, LAST], out_x, sums, sums_at, wide, places, channels,
                )  # fmt: skip
                if len(pull_walks):
                    fill(
                        pull_tile, pull_walks, pixels, outputs, right, -grad_top * grad_line, grad_line, step,
                        extent, nothing, pull_bands[band, FIRST], pull_bands[band, LAST], filters, start, channel,
                        zeros, dx, image, channels, -bound, bound,
                    )  # fmt: skip
                if len(measured):
                    first, lines = pull_bands[band, FIRST], pull_bands[band, LAST] - pull_bands[band, FIRST]
                    pixel, number = (image * in_y + first) * in_x, image * len(bands) + band
                    measure_gradient(dx, x, pixel, lines * in_x, channel, channels, measured[number])
