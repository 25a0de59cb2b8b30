"""Convolutions of one image, or of a share of it, as loops over register tiles.

`p` is the layer's record, see `layers_int8`. Places are addresses: of the first byte of a window, or of an output.
"""

from __future__ import annotations

from typing import NamedTuple

from .jit import COMPILED, compiled
from .rescale_int8 import PARAMETERS
from .sizes_int8 import PANEL, ROWS, VECTOR, VECTORS
from .taps_int8 import PIXELS, QUAD
from .tile_int8 import STEP

if COMPILED:
    from .taps_int8 import taps_row, taps_square
    from .tile_int8 import byte_tile_full, byte_tile_half, byte_tile_one, logit_tile_one

#: Bytes of the parameters of a panel and of a block: rows of int32.
PANEL_PARAMETERS, BLOCK_PARAMETERS = PARAMETERS * 4 * PANEL, PARAMETERS * 4 * 64


class Data(NamedTuple):
    """The addresses of a plan's arrays."""

    weights: int
    constants: int
    tables: int


@compiled()
def convolve(p, source, target, pixels, panels, data):
    """The first `pixels` of the layer's table, and output channels of `panels` (first, last).

    (pixel, out_c) ← (pixel, segment, depth) ⋆ (segment, depth, out_c)

    The weights of a large net lie in the slowest cache. So each tile asks for a part of the next panel ahead of time.
    """
    segments, line, depth, steep = p.segments, p.line, p.depth, p.steep
    size, limits, table = segments * depth * STEP, data.constants + p.bounds, data.tables + p.table
    last = pixels - 1
    for k in range(panels[0], panels[1]):
        weights, parameters = data.weights + p.weights + k * size, data.constants + p.constants + k * PANEL_PARAMETERS
        out, count, ahead = target + k * PANEL, min(p.out_pixel - k * PANEL, PANEL), weights + size
        for first in range(0, pixels, ROWS):
            arguments = (
                source, segments, line, depth, weights, parameters, limits, steep, table, first, last, out, count, ahead
            )  # fmt: skip
            if pixels - first > ROWS // 2:
                byte_tile_full(arguments)
            elif pixels - first > 1:
                byte_tile_half(arguments)
            else:
                byte_tile_one(arguments)
            ahead += size // VECTORS


@compiled()
def depthwise(p, source, target, out_line, lines, blocks, data):
    """`lines` output lines of channel `blocks` (first, last).

    (out_y, out_x, c) ← (in_y, in_x, c) ⋆ (filter_y, filter_x, c)
    """
    limits, block_size = data.constants + p.bounds, p.segments * p.depth * QUAD
    if p.shared:
        block_size *= 2
    for block in range(blocks[0], blocks[1]):
        weights = data.weights + p.weights + block * block_size
        parameters = data.constants + p.constants + block * BLOCK_PARAMETERS
        here, out = source + block * VECTOR, target + block * VECTOR
        if p.shared and lines > 1:
            depthwise_squares(p, here, out, out_line, lines, weights, parameters, limits)
        else:
            depthwise_rows(p, here, out, out_line, lines, weights, parameters, limits)


@compiled(inline="always")
def depthwise_squares(p, source, target, out_line, lines, weights, parameters, limits):
    """Tiles of 2×2 outputs; the last ones of an odd number of lines or pixels overlap their neighbours."""
    line, pixel, steep, width = p.line, p.pixel, p.steep, p.out_width
    for y in range(0, lines, 2):
        top = min(y, lines - 2)
        for x in range(0, width, 2):
            left = min(x, width - 2) * pixel
            here, out = source + top * line + left, target + top * out_line + left
            taps_square((here, line, pixel, weights, parameters, limits, steep, out, out_line))


@compiled(inline="always")
def depthwise_rows(p, source, target, out_line, lines, weights, parameters, limits):
    """Tiles of one line; where pixels are narrow and lie side by side, a vector holds several of them."""
    line, pixel, out_pixel, height, quads, steep = p.line, p.pixel, p.out_pixel, p.segments, p.depth, p.steep
    advance, out_advance, count = p.stride * pixel, out_pixel, min(out_pixel, VECTOR)
    last, out_last = (p.out_width - 1) * advance, (p.out_width - 1) * out_advance
    if p.stride == 1 and pixel == out_pixel < VECTOR <= p.out_width * pixel:
        advance, out_advance, count = VECTOR, VECTOR, VECTOR
        last = out_last = p.out_width * pixel - VECTOR
    step, out_step = PIXELS * advance, PIXELS * out_advance
    for y in range(lines):
        here, out = source + y * p.stride * line, target + y * out_line
        tiles = (last + advance - 1) // step + 1
        for tile in range(tiles):
            at, out_at = tile * step, tile * out_step
            taps_row((
                here + at, line, pixel, height, quads, weights, parameters, limits, steep,
                advance, last - at, out + out_at, out_advance, out_last - out_at, count,
            ))  # fmt: skip


@compiled(inline="always")
def logits(p, source, target, panels, data):
    """The last layer's real numbers: (sum + bias)·scale, a float32 a class of `panels` (first, last)."""
    depth = p.depth
    for k in range(panels[0], panels[1]):
        weights, parameters = data.weights + p.weights + k * depth * STEP, data.constants + p.constants + 8 * PANEL * k
        logit_tile_one((source, depth, weights, parameters, target + 4 * PANEL * k))
