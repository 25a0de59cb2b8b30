"""The layers of a float32 plan that have filters: convolutions of all channels, and of each channel by itself.

`p` is a layer's record (see `layers_float`). Its source has zeros around it as far as the filter reaches.
"""

from __future__ import annotations

from .depthwise_loops import fill_pairs
from .depthwise_plan import STRIDE_1, STRIDE_2
from .jit import COMPILED, compiled
from .matrix_product import PACKED, ROWS_AT_ONCE
from .panels import multiply_between

if COMPILED:
    from .channel_tile import ROWS, VECTORS, channels_wide
    from .depthwise_tile import LINES, PIXELS, SIDE
    from .moves import panel_width


#: Zeros lie around a value in the arena, so tiles see no edge.
ENDLESS = 1 << 40


@compiled()
def place_pixels(p, image, first, count, rows, out_rows):
    """Fill the tables of where `count` output pixels, from the `first` of `image` on, see their first tap and lie.

    Pixels run on from line to line and from image to image.
    """
    filled, step, out_step = 0, p.stride * p.source_pixel, p.target_pixel
    while filled < count:
        line, x = (first + filled) // p.out_width, (first + filled) % p.out_width
        y, here = line % p.out_height, image + line // p.out_height
        source = p.source + here * p.source_image + y * p.stride * p.source_line + x * step
        target = p.target + here * p.target_image + y * p.target_line + x * p.target_pixel
        stretch = min(p.out_width - x, count - filled)
        for i in range(stretch):
            rows[filled + i] = source + i * step
            out_rows[filled + i] = target + i * out_step
        filled += stretch


@compiled()
def convolve(p, memory, rows, out_rows, weights, constants, image, pixels, panels):
    """The output pixels and panels of channels from `pixels[0]` and `panels[0]` to those before the second ones."""
    wide, depth = panel_width(memory), p.size_y * p.size_x * p.channels
    taps = (p.size_y, p.source_line, p.size_x * p.channels, 1)
    at_once = max(PACKED // (depth * wide), 1)
    for panel in range(panels[0], panels[1], at_once):
        column = panel * wide
        columns = min(min(panel + at_once, panels[1]) * wide, p.out_channels) - column
        packed = weights[p.weights + column * depth :]
        for first in range(pixels[0], pixels[1], ROWS_AT_ONCE):
            count = min(ROWS_AT_ONCE, pixels[1] - first)
            place_pixels(p, image, first, count, rows, out_rows)
            multiply_between(
                memory, 0, rows, count, taps, packed, constants, p.constants + column, 0,
                memory, column, out_rows, columns, p.low, p.high,
            )  # fmt: skip


@compiled()
def convolve_channels(p, memory, rows, out_rows, zeros, weights, constants, image, pixels, panels):
    """A filter for each channel: tiles of some pixels and a panel of channels, over all taps."""
    panel = panel_width(memory)
    wide, pitch = VECTORS * panel // 2, (p.channels + panel - 1) // panel * panel + panel // 2
    taps, steps, right_steps = (p.size_y, p.size_x), (p.source_line, p.source_pixel), (p.size_x * pitch, pitch)
    for first in range(pixels[0], pixels[1], ROWS_AT_ONCE):
        count = min(ROWS_AT_ONCE, pixels[1] - first)
        place_pixels(p, image, first, count, rows, out_rows)
        for channel in range(panels[0] * panel, min(panels[1] * panel, p.channels), wide):
            bias = p.constants + channel
            for row in range(0, count, ROWS):
                channels_wide(
                    memory, channel, rows, row, min(ROWS, count - row), taps, steps, weights, p.weights + channel,
                    right_steps, constants, bias, zeros, memory, channel, out_rows, p.channels - channel, p.low, p.high,
                )  # fmt: skip


@compiled()
def filter_lines(p, memory, weights, constants, image, first, last, panels):
    """A 3×3 filter for each channel, two lines at a time; where they are odd, one is computed twice."""
    panel = panel_width(memory)
    channel, pitch = panels[0] * panel, (p.channels + panel - 1) // panel * panel + panel // 2
    channels, bias = min(panels[1] * panel, p.channels) - channel, p.constants + channel
    fill_pairs(
        STRIDE_1 if p.stride == 1 else STRIDE_2, memory, p.source + image * p.source_image + channel, p.source_line,
        p.source_pixel, (0, 0), (ENDLESS, ENDLESS), constants, first, last,
        weights, p.weights + channel, pitch, constants, bias,
        memory, p.target + image * p.target_image + channel, p.target_line, p.target_pixel,
        p.out_width, channels, p.low, p.high,
    )  # fmt: skip


@compiled()
def depthwise(p, memory, rows, out_rows, zeros, weights, constants, image, lines, panels):
    """Lines and panels of a depthwise layer on one image, by the way that its filter, stride and size allow."""
    first, last = lines
    fits = p.size_y == SIDE and p.size_x == SIDE and p.stride <= 2 and p.out_width >= PIXELS and last - first >= LINES
    if fits:
        filter_lines(p, memory, weights, constants, image, first, last, panels)
    else:
        pixels = (first * p.out_width, last * p.out_width)
        convolve_channels(p, memory, rows, out_rows, zeros, weights, constants, image, pixels, panels)
