"""The loops of depthwise convolution: bands of lines, in them panels of channels, in them rectangles of pixels."""

from __future__ import annotations

import numpy as np

from .channel_plan import (
    BEGIN,
    COLUMNS,
    COLUMNS_END,
    END,
    FILTER,
    FIRST_X,
    FIRST_Y,
    ORIGIN,
    OUT_Y,
    PIXELS,
    PLACES,
    ROWS,
    ROWS_END,
    SIZE_X,
    SIZE_Y,
    STEP_Y,
    STRIDE,
    TAP,
    TAPS,
)
from .jit import COMPILED, compiled, prange

if COMPILED:
    from numba import get_thread_id

    from .channel_tile import ROWS as TILE
    from .channel_tile import VECTORS, channels_narrow, channels_wide, line_narrow, line_wide
    from .moves import clear, panel_width
    from .sources import load_panel


@compiled()
def multiply_channels(
    left, left_at, rows, rows_at, count, depth, left_steps, right, right_at, right_steps,
    start, start_at, start_rows, out, out_at, out_rows, channels, low, high,
):  # fmt: skip
    """(count, channels) ← Σ over depth of left · right, of one panel, as `channel_tile.channel_tile` names them.

    The tables of rows are read from `rows_at` on. They are whole arrays: each slice would count references.
    """
    panel = panel_width(out)
    wide = VECTORS * panel // 2
    for channel in range(0, channels, wide):
        rest, begin, end = channels - channel, start_at + channel, out_at + channel
        for row in range(0, count, TILE):
            first, tile_rows = rows_at + row, min(TILE, count - row)
            if 2 * rest > panel:
                channels_wide(
                    left, left_at + channel, rows, first, tile_rows, depth, left_steps, right, right_at + channel,
                    right_steps, start, begin, start_rows, out, end, out_rows, rest, low, high,
                )  # fmt: skip
            else:
                channels_narrow(
                    left, left_at + channel, rows, first, tile_rows, depth, left_steps, right, right_at + channel,
                    right_steps, start, begin, start_rows, out, end, out_rows, rest, low, high,
                )  # fmt: skip


@compiled()
def multiply_lines(
    left, left_at, line, step, stride, lines, pixels, taps, taps_at, start, start_at,
    out, out_at, out_line, out_step, channels, low, high,
):  # fmt: skip
    """out (lines, pixels, channels) ← the convolution with a 3×3 filter, all taps of which are seen."""
    panel = panel_width(out)
    wide = VECTORS * panel // 2
    for channel in range(0, channels, wide):
        rest = channels - channel
        for row in range(lines):
            begin, end = left_at + row * stride * line + channel, out_at + row * out_line + channel
            if 2 * rest > panel:
                line_wide(
                    left, begin, line, step, stride * step, pixels, taps, taps_at + channel, panel,
                    start, start_at + channel, out, end, out_step, rest, low, high,
                )  # fmt: skip
            else:
                line_narrow(
                    left, begin, line, step, stride * step, pixels, taps, taps_at + channel, panel,
                    start, start_at + channel, out, end, out_step, rest, low, high,
                )  # fmt: skip


@compiled()
def convolve_rectangles(
    left, left_at, line, step, plan, walk, first, last, filters, filter_at, channels, start, start_at, zeros,
    out, out_at, out_line, out_step, low, high,
):  # fmt: skip
    """out ← a panel of channels of a walk's output rows from `first` to `last`, one rectangle at a time.

    The panel of the image begins at `left_at`, its lines lie `line` elements apart and its pixels `step`; likewise the
    panel of the outputs. `filters` holds the panel's taps of all walks from `filter_at` on.
    """
    walks, rows, columns, pixels, outputs, _, _ = plan
    panel, stride, size_x = panel_width(out), walks[walk, STRIDE], walks[walk, SIZE_X]
    for row in range(walks[walk, ROWS], walks[walk, ROWS_END]):
        begin, end = max(rows[row, BEGIN], first), min(rows[row, END], last)
        if begin >= end:
            continue
        y = walks[walk, FIRST_Y] + begin * stride + rows[row, TAP]
        for column in range(walks[walk, COLUMNS], walks[walk, COLUMNS_END]):
            left_column = columns[column, BEGIN]
            x = walks[walk, FIRST_X] + left_column * stride + columns[column, TAP]
            tap = walks[walk, FILTER] + rows[row, TAP] * size_x + columns[column, TAP]
            apart, width = walks[walk, STEP_Y], columns[column, END] - left_column
            place = out_at + walks[walk, ORIGIN] + apart * (begin * out_line + left_column * out_step)
            depth = (rows[row, TAPS], columns[column, TAPS])
            if depth == (3, 3) and size_x == 3:
                multiply_lines(
                    left, left_at + y * line + x * step, line, step, stride, end - begin, width,
                    filters, filter_at + tap * panel, start, start_at,
                    out, place, apart * out_line, apart * out_step, channels, low, high,
                )  # fmt: skip
                continue
            multiply_channels(
                left, left_at + y * line + x * step, pixels, columns[column, PIXELS], (end - begin) * width, depth,
                (line, step), filters, filter_at + tap * panel, (size_x * panel, panel), start, start_at, zeros,
                out, place, outputs, channels, low, high,
            )  # fmt: skip


@compiled()
def load_padded(x, image, channel, top, lines, margins, padded_x, panel, target):
    """target (lines, padded_x, panel) ← a panel of channels of an image with `margins` (top, left) of zeros around."""
    _, in_y, in_x, c = x.data.shape
    above, left = margins
    for line in range(lines):
        y, at = top + line - above, line * padded_x * panel
        clear(target, at, (left if 0 <= y < in_y else padded_x) * panel)
        if 0 <= y < in_y:
            place = (image * in_y + y) * in_x * c + channel
            load_panel(x, place, c, channel, target, at + left * panel, panel, in_x)
            clear(target, at + (left + in_x) * panel, (padded_x - left - in_x) * panel)


@compiled()
def band_lines(walks, band, bands, in_y):
    """The input lines, from and to, that a share of all walks' output rows sees."""
    top, bottom = in_y, 0
    for walk in range(len(walks)):
        first, last = band * walks[walk, OUT_Y] // bands, (band + 1) * walks[walk, OUT_Y] // bands
        if first < last:
            begin = walks[walk, FIRST_Y] + first * walks[walk, STRIDE]
            end = walks[walk, FIRST_Y] + (last - 1) * walks[walk, STRIDE] + walks[walk, SIZE_Y]
            top, bottom = min(top, max(begin, 0)), max(bottom, min(end, in_y))
    return top, max(bottom, top)


@compiled(parallel=True)
def convolve_channels(x, direct, margins, extent, plan, bands, filters, taps, start, zeros, low, high, panels, out):
    """out (n, y, x, c) ← clip(x ⋆ filters + start, low, high) by the walks of a plan, which have so many taps.

    With `direct` the image is read where it lies. Otherwise the panel under a band is computed in the cache, with
    `margins` of zeros that make its sides `extent`.
    """
    n, in_y, in_x, c = x.data.shape
    padded_y, padded_x = extent
    _, image_y, image_x, _ = out.shape
    images, flat, panel, walks = x.data.reshape(-1), out.reshape(-1), panel_width(out), plan[0]
    for item in prange(n * bands):
        image, band = np.int64(item) // bands, np.int64(item) % bands
        top, bottom = band_lines(walks, band, bands, padded_y)
        scratch = panels[get_thread_id()]
        for channel in range(0, c, panel):
            left, line, step, left_at = images, in_x * c, c, image * in_y * in_x * c + channel
            if not direct:
                load_padded(x, image, channel, top, bottom - top, margins, padded_x, panel, scratch)
                left, line, step, left_at = scratch, padded_x * panel, panel, -top * padded_x * panel
            for walk in range(len(walks)):
                first, last = band * walks[walk, OUT_Y] // bands, (band + 1) * walks[walk, OUT_Y] // bands
                convolve_rectangles(
                    left, left_at, line, step, plan, walk, first, last, filters, channel * taps,
                    min(panel, c - channel), start, channel, zeros,
                    flat, image * image_y * image_x * c + channel, image_x * c, c, low, high,
                )  # fmt: skip


@compiled()
def correlate_rectangles(left, left_at, line, step, plan, grad, grad_at, grad_line, grad_step, sums, sums_at, channels):
    """sums (filter_y·filter_x, c) += Σ over an image's pixels of what a tap meets, times `grad` there; one panel."""
    walks, rows, columns, _, _, taps, places = plan
    stride, bound = walks[0, STRIDE], sums.dtype.type(np.inf)
    for row in range(len(rows)):
        top, height = rows[row, BEGIN], rows[row, END] - rows[row, BEGIN]
        y = walks[0, FIRST_Y] + top * stride
        for column in range(len(columns)):
            left_column, seen = columns[column, BEGIN], columns[column, TAPS]
            x = walks[0, FIRST_X] + left_column * stride + columns[column, TAP]
            multiply_channels(
                left, left_at + y * line + x * step, taps, columns[column, PLACES] + rows[row, TAP] * seen,
                rows[row, TAPS] * seen, (height, columns[column, END] - left_column), (stride * line, stride * step),
                grad, grad_at + top * grad_line + left_column * grad_step, (grad_line, grad_step),
                sums, sums_at, places, sums, sums_at, places, channels, -bound, bound,
            )  # fmt: skip


@compiled(parallel=True)
def backward_channels(
    x, grad, direct, margins, extent, grad_margins, grad_extent, forward, backward, filters, taps, start, zeros,
    panels, partial, dx,
):  # fmt: skip
    """partial (chunk, filter_y·filter_x, c) ← each chunk of images' weight gradient; dx (n, y, x, c) by `backward`.

    Both read a panel of an image while it is in the cache: where it lies, if `direct`, otherwise computed there, with
    margins of zeros around it.
    """
    n, in_y, in_x, c = x.data.shape
    _, out_y, out_x, _ = grad.data.shape
    padded_y, padded_x = extent
    around_y, around_x = grad_extent
    chunks, size, wide = partial.shape
    panel, bound, walks = panel_width(partial), partial.dtype.type(np.inf), backward[0]
    images, grads, sums, flat = x.data.reshape(-1), grad.data.reshape(-1), partial.reshape(-1), dx.reshape(-1)
    blocks = (c + panel - 1) // panel
    for item in prange(chunks * blocks):
        chunk, channel = np.int64(item) // blocks, np.int64(item) % blocks * panel
        channels, sums_at = min(panel, c - channel), chunk * size * wide + channel
        left, right, line, step, grad_line, grad_step = images, grads, in_x * c, c, out_x * c, c
        inside = 0
        if not direct:
            left = panels[get_thread_id(), : padded_y * padded_x * panel]
            right = panels[get_thread_id(), padded_y * padded_x * panel :]
            line, step, grad_line, grad_step = padded_x * panel, panel, around_x * panel, panel
            inside = grad_margins[0] * grad_line + grad_margins[1] * panel
        for image in range(chunk * n // chunks, (chunk + 1) * n // chunks):
            first = image * in_y * in_x * c + channel
            left_at, grad_at = first, image * out_y * out_x * c + channel
            if not direct:
                load_padded(x, image, channel, 0, padded_y, margins, padded_x, panel, left)
                load_padded(grad, image, channel, 0, around_y, grad_margins, around_x, panel, right)
                left_at, grad_at = 0, 0
            correlate_rectangles(
                left,
                left_at,
                line,
                step,
                forward,
                right,
                grad_at + inside,
                grad_line,
                grad_step,
                sums,
                sums_at,
                channels,
            )
            for walk in range(len(walks)):
                convolve_rectangles(
                    right, grad_at, grad_line, grad_step, backward, walk, 0, walks[walk, OUT_Y],
                    filters, channel * taps, channels, start, channel, zeros, flat, first, in_x * c, c, -bound, bound,
                )  # fmt: skip
