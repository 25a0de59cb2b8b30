"""The tiles of a depthwise convolution: 64 channels of a few pixels, four taps of a line in one dot product.

A dot product adds four neighbouring bytes, but the taps of a channel lie a pixel apart. So the vectors of four
neighbouring pixels are interleaved byte by byte: 64 channels of 4 pixels become 4 vectors of 16 channels, each lane
holding the four pixels of its channel. That costs eight shuffles, and then each line of up to four taps costs one
dot product for 16 channels:

    sums[channel] ← bias[channel] + Σ of pixels[line, 4·quad + tap, channel] · weights[line, quad, channel, tap]

Taps that a filter lacks have zero weights. With 3×3 filters of stride 1, four pixels serve two outputs: by the weights
(w0 w1 w2 0) and (0 w0 w1 w2); and a line of them serves two lines of outputs.
"""

from __future__ import annotations

import numpy as np

from .jit import COMPILED
from .rescale_int8 import channel_order
from .sizes_int8 import BLOCK, VECTOR, round_up

#: Vectors of sums for the 64 channels of a block, and bytes of its weights for four taps.
WIDTH, QUAD = 4, 4 * BLOCK
#: Outputs of one tile, each with taps of its own.
PIXELS = 4

if COMPILED:
    from numba.core import cgutils

    from .instructions_int8 import dot
    from .rescale_int8 import BIAS, raise_steep, to_bytes
    from .vectors_int8 import BYTES, INT64, SUMS, Emitter, kernel_of


# ---- while a plan is made --------------------------------------------------------------------------------------------


def pack_taps(weight: np.ndarray, shared: bool) -> np.ndarray:
    """Int8 weights (kh, kw, channels) as blocks of (kh, quads, 64 channels, 4), flat.

    `shared` appends to each block the same taps one pixel later, for the tile that shares its pixels.
    """
    height, width, channels = weight.shape
    padded = np.zeros((height, round_up(width, 4), round_up(channels, BLOCK)), np.int8)
    padded[:, :width, :channels] = weight
    packings = [padded, np.roll(padded, 1, axis=1)] if shared else [padded]
    order, blocks = channel_order(WIDTH), padded.shape[2] // BLOCK
    packed = [
        p.reshape(height, -1, 4, blocks, BLOCK)[..., order].transpose(3, 0, 1, 4, 2).reshape(blocks, -1)
        for p in packings
    ]
    return np.concatenate(packed, axis=1).reshape(-1)


# ---- while a kernel is compiled --------------------------------------------------------------------------------------


def quads(e: Emitter, pixels: list) -> list:
    """Four vectors of 64 channels as four vectors of 16 channels, each lane with its channel's four pixels."""
    pairs = [[e.interleave(*pixels[k : k + 2], 1, high) for k in (0, 2)] for high in (0, 1)]
    return [e.builder.bitcast(e.interleave(*pair, 2, high), SUMS) for pair in pairs for high in (0, 1)]


def start_sums(e: Emitter, parameters, count: int) -> list[list]:
    """Cells of `count` outputs, which begin with the bias."""
    biases = [e.load(e.at(parameters, (BIAS * WIDTH + j) * VECTOR)) for j in range(WIDTH)]
    return [[cgutils.alloca_once_value(e.builder, bias) for bias in biases] for _ in range(count)]


def add_taps(e: Emitter, cells: list, pixels: list, weights) -> None:
    """Add to one output's sums the taps whose interleaved pixels are `pixels`."""
    for j, (cell, quad) in enumerate(zip(cells, pixels, strict=True)):
        e.builder.store(dot(e, e.builder.load(cell), quad, e.load(e.at(weights, j * VECTOR))), cell)


def finish(e: Emitter, cells, parameters, limits, steep) -> list:
    """The outputs as vectors of bytes."""
    raise_steep(e, cells, parameters, steep)
    return to_bytes(e, [[e.builder.load(cell) for cell in row] for row in cells], parameters, limits)


def emit_square(e: Emitter, source, line, pixel, weights, parameters, limits, steep, target, out_line):
    """2×2 outputs of a 3×3 filter of stride 1 from 4×4 pixels, of which each line is interleaved once."""
    source, weights, target = e.pointer(source), e.pointer(weights), e.pointer(target)
    parameters, limits = e.pointer(parameters), e.pointer(limits)
    sums = start_sums(e, parameters, 4)
    for row in range(4):
        here = quads(e, [e.load(e.at(source, (line, row), (pixel, k)), BYTES) for k in range(4)])
        for y in range(max(0, row - 2), min(2, row + 1)):
            for x in range(2):
                add_taps(e, sums[2 * y + x], here, e.at(weights, (3 * x + row - y) * QUAD))
    for i, packed in enumerate(finish(e, sums, parameters, limits, steep)):
        e.store(packed, e.at(target, (out_line, i // 2), (pixel, i % 2)))


def emit_row(
    e: Emitter, source, line, pixel, height, width, weights, parameters, limits, steep,
    advance, last, target, out_advance, out_last, count,
):  # fmt: skip
    """PIXELS outputs of one line, `advance` bytes apart in the source, for filters of any size and stride.

    The filter has `height` lines of `width` quads. Beyond `last` bytes an output is repeated. Of each, `count` bytes
    are written: 8, 16, 32 or 64.
    """
    build, parameters, limits = e.builder, e.pointer(parameters), e.pointer(limits)
    weights, sums = e.pointer(weights), start_sums(e, parameters, PIXELS)
    starts = [e.at(e.pointer(source), e.least(build.mul(advance, INT64(i)), last)) for i in range(PIXELS)]
    places = [e.least(build.mul(out_advance, INT64(i)), out_last) for i in range(PIXELS)]
    with e.loop(height) as y, e.loop(width) as x:
        taps = e.at(weights, (build.add(build.mul(y, width), x), QUAD))
        for start, cells in zip(starts, sums, strict=True):
            corner = e.at(start, (line, y), (build.mul(pixel, x), 4))
            pixels = [e.load(e.at(corner, (pixel, k)), BYTES) for k in range(4)]
            add_taps(e, cells, quads(e, pixels), taps)
    outputs = finish(e, sums, parameters, limits, steep)
    e.store_rows(count, outputs, [e.at(e.pointer(target), place) for place in places])


if COMPILED:
    taps_square, taps_row = kernel_of(emit_square), kernel_of(emit_row)
