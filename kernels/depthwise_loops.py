"""The loops of depthwise convolution: a panel of channels of a band of lines at a time, from the cache."""

from __future__ import annotations

import numpy as np

from .jit import COMPILED, compiled, prange
from .walk import columns_inside

if COMPILED:
    from .moves import clear, copy, panel_width
    from .register_tile import CHANNEL_ROWS, CHANNEL_VECTORS, channels_narrow, channels_wide
    from .sources import load_panel

#: The columns of a table of phases: the walks over a gradient that make the input's gradient, one a row. A phase's
#: pixels, where its first one lies in the halo and in the image, its filter's sides, where its tables and filter begin.
COUNT, HALO, FIRST, TAPS_Y, TAPS_X, TABLE, FILTER = range(7)


@compiled()
def load_band(x, image, walk, first, channel, band):
    """band (lines, columns, panel) ← a panel of channels of the source under the output rows from `first`."""
    _, in_y, in_x, c = x.data.shape
    panel = panel_width(band)
    span = (walk.out_x - 1) * walk.stride + walk.size_x
    top = walk.first_y + first * walk.stride
    for line in range((min(walk.band, walk.out_y - first) - 1) * walk.stride + walk.size_y):
        begin, end = columns_inside(walk, top + line, in_y, in_x, span)
        source = ((image * in_y + top + line) * in_x + walk.first_x) * c + channel
        target = line * span * panel
        clear(band, target, begin * panel)
        load_panel(x, source + begin * c, c, channel, band, target + begin * panel, panel, end - begin)
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
    n, _, _, c = x.data.shape
    _, image_y, image_x, _ = out.shape
    flat, panel = out.reshape(-1), panel_width(out)
    line = ((walk.out_x - 1) * walk.stride + walk.size_x) * panel
    size = ((walk.band - 1) * walk.stride + walk.size_y) * line
    taps = (walk.size_y, line, walk.size_x, panel)
    bands, blocks = (walk.out_y + walk.band - 1) // walk.band, (c + panel - 1) // panel
    for item in prange(n * bands * blocks):
        place, channel = np.int64(item) // blocks, np.int64(item) % blocks * panel
        image, first = place // bands, place % bands * walk.band
        band = np.empty(size, out.dtype)
        load_band(x, image, walk, first, channel, band)
        out_at = ((image * image_y + walk.origin_y + first * walk.step) * image_x + walk.origin_x) * c + channel
        count = min(walk.band, walk.out_y - first) * walk.out_x
        multiply_channels(
            band, pixels, count, taps, panels, channel * walk.size_y * walk.size_x,
            start, channel, 0, flat, out_at, outputs, min(panel, c - channel),
        )  # fmt: skip


@compiled(parallel=True)
def correlate_channels(x, walk, grad, partial, taps, rows):
    """partial (chunk, filter_y·filter_x, c) ← patches of x (n, y, x, c) times grad (n, out_y, out_x, c), summed."""
    n, _, _, c = x.data.shape
    chunks, depth, wide = partial.shape
    sums, panel = partial.reshape(-1), panel_width(partial)
    line = ((walk.out_x - 1) * walk.stride + walk.size_x) * panel
    size = ((walk.band - 1) * walk.stride + walk.size_y) * line
    bands, blocks = (walk.out_y + walk.band - 1) // walk.band, (c + panel - 1) // panel
    for item in prange(chunks * blocks):
        chunk, channel = np.int64(item) // blocks, np.int64(item) % blocks * panel
        channels, place = min(panel, c - channel), chunk * depth * wide + channel
        band, packed = np.empty(size, partial.dtype), np.empty(walk.band * walk.out_x * panel, partial.dtype)
        for index in range(chunk * n * bands // chunks, (chunk + 1) * n * bands // chunks):
            image, first = index // bands, index % bands * walk.band
            count = min(walk.band, walk.out_y - first)
            load_band(x, image, walk, first, channel, band)
            at = (image * walk.out_y + first) * walk.out_x * c + channel
            load_panel(grad, at, c, channel, packed, 0, panel, count * walk.out_x)
            steps = (count, walk.stride * line, walk.out_x, walk.stride * panel)
            multiply_channels(
                band, taps, depth, steps, packed, 0, sums, place, wide, sums, place, rows, channels
            )  # fmt: skip


@compiled(inline="always")
def fill_halo(dense, out_y, out_x, halo, halo_at, line):
    """halo (lines of `line` elements) ← dense (out_y, out_x, panel); what lies around it stays as it is."""
    length = out_x * panel_width(halo)
    for row in range(out_y):
        copy(dense, row * length, halo, halo_at + row * line, length)


@compiled(parallel=True)
def backward_channels(x, walk, grad, weight, phases, pixels, outputs, halo, dx, partial, taps, rows, start):
    """Both gradients: dx (n, y, x, c), and partial (chunk, filter_y·filter_x, c), of whole images, a panel at a time.

    `halo`: height and width of the gradient with zeros around it, and where it begins there.
    """
    n, in_y, in_x, c = dx.shape
    chunks, depth, wide = partial.shape
    halo_y, halo_x, halo_at = halo
    flat, sums, panel = dx.reshape(-1), partial.reshape(-1), panel_width(dx)
    line = ((walk.out_x - 1) * walk.stride + walk.size_x) * panel
    blocks = (c + panel - 1) // panel
    for item in prange(chunks * blocks):
        chunk, channel = np.int64(item) // blocks, np.int64(item) % blocks * panel
        channels, place = min(panel, c - channel), chunk * depth * wide + channel
        a = np.empty(((walk.out_y - 1) * walk.stride + walk.size_y) * line, dx.dtype)
        dy, around = np.empty(walk.out_y * walk.out_x * panel, dx.dtype), np.zeros(halo_y * halo_x * panel, dx.dtype)
        for image in range(chunk * n // chunks, (chunk + 1) * n // chunks):
            load_band(x, image, walk, 0, channel, a)
            at = image * walk.out_y * walk.out_x * c + channel
            load_panel(grad, at, c, channel, dy, 0, panel, walk.out_y * walk.out_x)
            fill_halo(dy, walk.out_y, walk.out_x, around, halo_at * panel, halo_x * panel)
            steps = (walk.out_y, walk.stride * line, walk.out_x, walk.stride * panel)
            multiply_channels(a, taps, depth, steps, dy, 0, sums, place, wide, sums, place, rows, channels)
            for phase in range(len(phases)):
                of = phases[phase]
                taps_y, taps_x, table = of[TAPS_Y], of[TAPS_X], of[TABLE]
                filters = of[FILTER] * blocks + channel // panel * taps_y * taps_x
                multiply_channels(
                    around[of[HALO] * panel :], pixels[table:], of[COUNT], (taps_y, halo_x * panel, taps_x, panel),
                    weight, filters * panel, start, channel, 0,
                    flat, (image * in_y * in_x + of[FIRST]) * c + channel, outputs[table:], channels,
                )  # fmt: skip
