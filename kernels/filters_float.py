"""The layers of a float32 plan that have filters: convolutions of all channels, and of each channel by itself.

`p` is a layer's record (see `layers_float`). Its source has zeros around it as far as the filter reaches.
"""

from __future__ import annotations

from .jit import COMPILED, compiled
from .matrix_product import PACKED, ROWS_AT_ONCE
from .panels import multiply_between

if COMPILED:
    from .depthwise_tile import LINES, PIXELS, SIDE, two_lines_stride_1, two_lines_stride_2
    from .moves import panel_width
    from .register_tile import CHANNEL_ROWS, CHANNEL_VECTORS, bounded_channels


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
def convolve_channels(p, memory, rows, out_rows, weights, constants, image, pixels, panels):
    """A filter for each channel: tiles of some pixels and a panel of channels, over all taps."""
    wide = CHANNEL_VECTORS * panel_width(memory) // 2
    panel = panel_width(memory)
    taps = (p.size_y, p.source_line, p.size_x, p.source_pixel)
    for first in range(pixels[0], pixels[1], ROWS_AT_ONCE):
        count = min(ROWS_AT_ONCE, pixels[1] - first)
        place_pixels(p, image, first, count, rows, out_rows)
        for channel in range(panels[0] * panel, min(panels[1] * panel, p.channels), wide):
            right = p.weights + channel // panel * panel * p.size_y * p.size_x + channel % panel
            for row in range(0, count, CHANNEL_ROWS):
                bounded_channels(
                    memory, channel, rows, row, min(CHANNEL_ROWS, count - row), taps, weights, right, panel,
                    constants, p.constants + channel, 0, memory, channel, out_rows, p.channels - channel, p.low, p.high,
                )  # fmt: skip


@compiled()
def filter_lines(p, memory, weights, constants, image, first, last, panels):
    """A 3×3 filter for each channel, two lines at a time; where they are odd, one is computed twice."""
    panel = panel_width(memory)
    vector = panel // 2
    for pair in range(first, last, LINES):
        y = min(pair, last - LINES)
        source = p.source + image * p.source_image + y * p.stride * p.source_line
        target = p.target + image * p.target_image + y * p.target_line
        for channel in range(panels[0] * panel, min(panels[1] * panel, p.channels), vector):
            right = p.weights + channel // panel * panel * SIDE * SIDE + channel % panel
            bias = p.constants + channel
            if p.stride == 1:
                two_lines_stride_1(
                    memory, source + channel, p.source_line, p.source_pixel, weights, right, panel, constants, bias,
                    target + channel, p.target_line, p.target_pixel, p.out_width, p.channels - channel, p.low, p.high,
                )  # fmt: skip
            else:
                two_lines_stride_2(
                    memory, source + channel, p.source_line, p.source_pixel, weights, right, panel, constants, bias,
                    target + channel, p.target_line, p.target_pixel, p.out_width, p.channels - channel, p.low, p.high,
                )  # fmt: skip


@compiled()
def depthwise(p, memory, rows, out_rows, weights, constants, image, lines, panels):
    """Lines and panels of a depthwise layer on one image, by the way that its filter, stride and size allow."""
    first, last = lines
    fits = p.size_y == SIDE and p.size_x == SIDE and p.stride <= 2 and p.out_width >= PIXELS and last - first >= LINES
    if fits:
        filter_lines(p, memory, weights, constants, image, first, last, panels)
    else:
        pixels = (first * p.out_width, last * p.out_width)
        convolve_channels(p, memory, rows, out_rows, weights, constants, image, pixels, panels)
