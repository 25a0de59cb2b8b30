"""What a layer of a float32 plan is, and one function that does a share of any layer on some images.

A layer is a record of numbers: where its values lie in an arena, its geometry, and the bounds of its output. A value is
an image with a border of zeros wide enough for every filter that reads it. So no filter ever asks whether it is inside
the image, and the patches of any convolution lie in the arena as the register tile reads them: nothing is copied.
"""

from __future__ import annotations

import numpy as np

from .jit import COMPILED, compiled
from .matrix_product import PACKED, ROWS_AT_ONCE, share
from .panels import multiply_between

if COMPILED:
    from .depthwise_tile import LINES, PIXELS, SIDE, two_lines_stride_1, two_lines_stride_2
    from .moves import clear, copy, panel_width
    from .register_tile import CHANNEL_ROWS, CHANNEL_VECTORS, bounded_channels

#: A value's place in the arena (of its first pixel, or of a layer's first window), then the elements from one line,
#: pixel and image to the next; of the source, of a second source, and of the target.
PLACES = [f"{value}{field}" for value in ("source", "other", "target") for field in ("", "_line", "_pixel", "_image")]
GEOMETRY = [
    "kind",
    "height",
    "width",
    "channels",
    "out_height",
    "out_width",
    "out_channels",
    "size_y",
    "size_x",
    "stride",
    "top",
    "left",
]
BORDER = ["border_top", "border_bottom", "border_left", "border_right"]
INTEGERS = [*PLACES, *GEOMETRY, *BORDER, "weights", "constants"]
LAYER = np.dtype([*((name, np.int64) for name in INTEGERS), ("low", np.float32), ("high", np.float32)])

(INPUT, OUTPUT, COPY, CONV2D, DEPTHWISE, ADD, SCALE_SHIFT, MAX_POOL, AVG_POOL) = range(9)


@compiled()
def place_pixels(p, image, first, count, rows, out_rows):
    """Fill the tables of where `count` output pixels, from the `first` after `image`'s own, see their first tap and lie.

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
            right, bias = p.weights + channel // panel * panel * 9 + channel % panel, p.constants + channel
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
def depthwise(p, memory, rows, out_rows, weights, constants, slot, count, part, parts):
    """A part of a depthwise layer on `count` images: lines, or channels where they are more than the pixels."""
    panels = (p.out_channels + panel_width(memory) - 1) // panel_width(memory)
    first, last = np.int64(0), p.out_height
    stretch = (np.int64(0), panels)
    if p.out_height * p.out_width < p.out_channels:
        stretch = share(panels, 1, part, parts)
    else:
        first, last = share(p.out_height, 1, part, parts)
    fits = p.size_y == SIDE and p.size_x == SIDE and p.stride <= 2 and p.out_width >= PIXELS and last - first >= LINES
    for image in range(slot, slot + count):
        if fits:
            filter_lines(p, memory, weights, constants, image, first, last, stretch)
        else:
            pixels = (first * p.out_width, last * p.out_width)
            convolve_channels(p, memory, rows, out_rows, weights, constants, image, pixels, stretch)


@compiled()
def combine(p, memory, constants, image, first, last):
    """Lines of the sum of two values, or of one value scaled and shifted channel by channel."""
    low, high, channels, length = p.low, p.high, p.channels, p.width * p.channels
    factors, shifts = constants[p.constants :][:channels], constants[p.constants + channels :][:channels]
    for y in range(first, last):
        source = memory[p.source + image * p.source_image + y * p.source_line :][:length]
        target = memory[p.target + image * p.target_image + y * p.target_line :][:length]
        if p.kind == ADD:
            other = memory[p.other + image * p.other_image + y * p.other_line :][:length]
            for i in range(length):
                target[i] = held_between(source[i] + other[i], low, high)
        else:
            for x in range(0, length, channels):
                for c in range(channels):
                    target[x + c] = held_between(source[x + c] * factors[c] + shifts[c], low, high)


@compiled(inline="always")
def held_between(value, low, high):
    """`value`, or the bound that it passes; a NaN stays one."""
    value = low if value < low else value
    return high if value > high else value


@compiled()
def pool(p, memory, image, first, last):
    """Lines of the largest or of the mean of each window; a NaN counts as the largest, padding as 0 in a mean."""
    source, channels, area = p.source + image * p.source_image, p.channels, np.float32(p.size_y * p.size_x)
    largest = p.kind == MAX_POOL
    for y in range(first, last):
        first_y = y * p.stride - p.top
        for x in range(p.out_width):
            first_x = x * p.stride - p.left
            target = memory[p.target + image * p.target_image + y * p.target_line + x * p.target_pixel :][:channels]
            for c in range(channels):
                target[c] = -np.inf if largest else 0
            for in_y in range(max(first_y, 0), min(first_y + p.size_y, p.height)):
                for in_x in range(max(first_x, 0), min(first_x + p.size_x, p.width)):
                    pixel = memory[source + in_y * p.source_line + in_x * p.source_pixel :][:channels]
                    if largest:
                        for c in range(channels):
                            greater = (pixel[c] > target[c]) | (pixel[c] != pixel[c])
                            target[c] = pixel[c] if greater else target[c]
                    else:
                        for c in range(channels):
                            target[c] += pixel[c]
            if not largest:
                for c in range(channels):
                    target[c] /= area


@compiled()
def move(p, source, source_at, target, target_at, first, last):
    """Lines of a value, pixel by pixel where either side has something between its pixels."""
    together = p.source_pixel == p.channels and p.target_pixel == p.channels
    for y in range(first, last):
        here, there = source_at + y * p.source_line, target_at + y * p.target_line
        if together:
            copy(source, here, target, there, p.width * p.channels)
        else:
            for x in range(p.width):
                copy(source, here + x * p.source_pixel, target, there + x * p.target_pixel, p.channels)


@compiled()
def clear_border(p, memory, image, first, last):
    """Zeros around the target's lines from `first`, above the first line and below the last one."""
    before, after = p.border_left * p.out_channels, p.border_right * p.out_channels
    start = p.target + image * p.target_image - before
    if first == 0:
        clear(memory, start - p.border_top * p.target_line, p.border_top * p.target_line)
    if last == p.out_height:
        clear(memory, start + last * p.target_line, p.border_bottom * p.target_line)
    for y in range(first, last):
        clear(memory, start + y * p.target_line, before)
        clear(memory, start + (y + 1) * p.target_line - after, after)


@compiled()
def run_layer(p, images, outputs, first_image, slot, count, memory, tables, weights, constants, part, parts):
    """A part of a layer on `count` images, which lie in the arena from `slot` and came from `images[first_image :]`.

    A part is a stretch of pixels, or of channels where there are fewer pixels than channels.
    """
    rows, out_rows = tables[0], tables[1]
    first, last = share(p.out_height, 1, part, parts)
    zero, pixels = np.int64(0), count * p.out_height * p.out_width
    panels = (p.out_channels + panel_width(memory) - 1) // panel_width(memory)
    if p.kind == CONV2D and pixels < p.out_channels:
        stretch = share(panels, 1, part, parts)
        convolve(p, memory, rows, out_rows, weights, constants, slot, (zero, pixels), stretch)
    elif p.kind == CONV2D:
        stretch = share(pixels, 8, part, parts)
        convolve(p, memory, rows, out_rows, weights, constants, slot, stretch, (zero, panels))
    elif p.kind == DEPTHWISE:
        depthwise(p, memory, rows, out_rows, weights, constants, slot, count, part, parts)
    for image in range(slot, slot + count):
        source, target = p.source + image * p.source_image, p.target + image * p.target_image
        if p.kind == INPUT:
            move(p, images[first_image + image - slot], zero, memory, target, first, last)
        elif p.kind == OUTPUT:
            move(p, memory, source, outputs[first_image + image - slot], zero, first, last)
        elif p.kind == COPY:
            move(p, memory, source, memory, target, first, last)
        elif p.kind == ADD or p.kind == SCALE_SHIFT:
            combine(p, memory, constants, image, first, last)
        elif p.kind == MAX_POOL or p.kind == AVG_POOL:
            pool(p, memory, image, first, last)
        if p.border_top + p.border_bottom + p.border_left + p.border_right > 0:
            clear_border(p, memory, image, first, last)
