"""Convolutions of one image, as tiles of ROWS pixels: sum into registers, rescale, store bytes.

`p` is the layer's record, see `layers_int8`. Its fields are read into local names where a loop stores bytes, since for
all the compiler knows the store may change them.
"""

from __future__ import annotations

import numpy as np

from .jit import COMPILED, compiled
from .sizes_int8 import LANES, PANEL, ROWS
from .tile_int8 import dot_tile

if COMPILED:
    from .moves import copy as move
    from .vectors_int8 import depthwise_tile_8, depthwise_tile_16, fill, rescale_rows


@compiled()
def padded(p, memory, scratch, first, last):
    """Where the input lines of output lines `first` to `last` lie with their border: (array, offset, line's bytes)."""
    line, top = p.width * p.pixel, first * p.stride - p.top
    if p.top + p.left + p.bottom + p.right == 0:
        return memory, p.source + top * line, line
    left, padded_line, border = p.left * p.pixel, line + (p.left + p.right) * p.pixel, p.input_zero_point
    for row in range((last - 1 - first) * p.stride + p.kernel_height):
        y, at = top + row, row * padded_line
        if 0 <= y < p.height:
            fill(scratch, at, left, border)
            move(memory, p.source + y * line, scratch, at + left, line)
            fill(scratch, at + left + line, padded_line - left - line, border)
        else:
            fill(scratch, at, padded_line, border)
    return scratch, np.int64(0), padded_line


@compiled()
def tile_offsets(p, start, line, first, pixels, offsets):
    """Where the windows of ROWS output pixels begin; beyond the last pixel it is repeated."""
    width, step_y, step_x = p.out_width, line * p.stride, p.pixel * p.stride
    y, x = first // width, first % width
    for row in range(ROWS):
        offsets[row] = start + y * step_y + x * step_x
        if first + row + 1 < pixels:
            x += 1
            if x == width:
                x, y = 0, y + 1


@compiled()
def panel_size(p):
    """(depth in groups of four, bytes) of one panel of a convolution's weights."""
    depth = (p.kernel_width * p.pixel + 3) // 4 if p.kernel_width > 1 else (p.channels + 3) // 4
    return depth, p.kernel_height * depth * 4 * PANEL


@compiled()
def tile_bytes(p, sums, rows, channels, constants, at, width, memory, out):
    """Rescale the first `rows` and `channels` of a tile's sums into bytes at `out`."""
    for c in range(0, channels, LANES):
        rescale_rows(
            sums, c, rows, constants, at + c, width, p.zero_point, p.low, p.high, memory, out + c, p.out_pixel
        )  # fmt: skip


@compiled()
def convolve(p, memory, scratch, sums, offsets, weights, constants, lines, panels):
    """Output `lines` and `panels` (first, last) of a convolution.

    (out_y, out_x, out_c) ← (in_y, in_x, in_c) ⋆ (filter_y, filter_x, in_c, out_c): a window's line is contiguous, so
    the tile reads kernel_height stretches of kernel_width·pixel bytes and no patch is ever copied.
    """
    source, start, line = padded(p, memory, scratch, lines[0], lines[1])
    pixels, width = (lines[1] - lines[0]) * p.out_width, (p.out_channels + PANEL - 1) // PANEL * PANEL
    target = p.target + lines[0] * p.out_width * p.out_pixel
    depth, panel = panel_size(p)
    for k in range(panels[0], panels[1], 2):
        at, count = p.weights + k * panel, min(2, panels[1] - k)
        channels = min(p.out_channels - k * PANEL, count * PANEL)
        for first in range(0, pixels, ROWS):
            tile_offsets(p, start, line, first, pixels, offsets)
            dot_tile(source, offsets, p.kernel_height, line, depth, weights, at, panel, count, sums)
            out, rows = target + first * p.out_pixel + k * PANEL, min(ROWS, pixels - first)
            tile_bytes(p, sums, rows, channels, constants, p.constants + k * PANEL, width, memory, out)


@compiled()
def logits(p, memory, sums, offsets, weights, constants, panels):
    """The last layer's real numbers: (sum + bias)·scale, a float32 a class."""
    for row in range(ROWS):
        offsets[row] = p.source
    width = (p.out_channels + PANEL - 1) // PANEL * PANEL
    scale, out = constants[p.constants + width : p.constants + 2 * width].view(np.float32), memory.view(np.float32)
    depth, panel = panel_size(p)
    for k in range(panels[0], panels[1]):
        at, one = p.weights + k * panel, p.kernel_height
        dot_tile(memory, offsets, one, one, depth, weights, at, panel, one, sums)
        for c in range(k * PANEL, min(p.out_channels, (k + 1) * PANEL)):
            total = np.int32(sums[c - k * PANEL] + constants[p.constants + c])
            out[p.target // 4 + c] = np.float32(total) * scale[c]


@compiled()
def depthwise(p, memory, scratch, sums, offsets, weights, constants, first, last):
    """(out_y, out_x, c) ← (in_y, in_x, c) ⋆ (filter_y, filter_x, c), eight or sixteen channels at a time."""
    source, start, line = padded(p, memory, scratch, first, last)
    pixels, width = (last - first) * p.out_width, (p.channels + LANES - 1) // LANES * LANES
    target = p.target + first * p.out_width * p.out_pixel
    for pixel in range(0, pixels, ROWS):
        tile_offsets(p, start, line, pixel, pixels, offsets)
        for c in range(0, width, 2 * LANES):
            at, channels = p.weights + c, min(width - c, 2 * LANES)
            size_y, size_x = p.kernel_height, p.kernel_width
            if channels == LANES:
                depthwise_tile_8(source, c, offsets, size_y, size_x, line, p.pixel, weights, at, width, sums)
            else:
                depthwise_tile_16(source, c, offsets, size_y, size_x, line, p.pixel, weights, at, width, sums)
            out, rows = target + pixel * p.out_pixel + c, min(ROWS, pixels - pixel)
            tile_bytes(p, sums, rows, channels, constants, p.constants + c, width, memory, out)
