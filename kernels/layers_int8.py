"""What each int8 layer does to one image: compiled functions that read and write bytes in an arena.

A layer is a record of integers: its geometry, its zero points, and where its values lie. A value is an image whose pixels
lie `pixel` bytes apart, a multiple of eight, so that vectors may run over the last channel; what they write there is
never read, since it meets a zero weight. Each function does a share of a layer: `part` of `parts`, one a thread.
"""

from __future__ import annotations

import numpy as np

from .jit import COMPILED, compiled
from .tile_int8 import LANES, PANEL, ROWS, dot_tile

if COMPILED:
    from .vectors_int8 import depthwise_tile_8, depthwise_tile_16, rescale_rows

FIELDS = (
    "kind source target height width channels pixel other other_pixel out_height out_width out_channels out_pixel "
    "kernel_height kernel_width stride top left bottom right input_zero_point other_zero_point zero_point low high "
    "multiplier other_multiplier shift weights constants"
)
LAYER = np.dtype([(name, np.int64) for name in FIELDS.split()])

KINDS = "quantize lookup copy output conv2d depthwise logits add max_pool avg_pool clip dequantize".split()
(QUANTIZE, LOOKUP, COPY, OUTPUT, CONV2D, DEPTHWISE, LOGITS, ADD, MAX_POOL, AVG_POOL, CLIP, DEQUANTIZE) = range(
    len(KINDS)
)


@compiled()
def rescale(total, multiplier, shift, zero_point, low, high):
    """clip(zero_point + ((total·m + 2^(s−1)) >> s), low, high) in int64."""
    one = np.int64(1)
    result = zero_point + ((total * np.int64(multiplier) + (one << np.int64(shift - 1))) >> np.int64(shift))
    return min(max(result, low), high)


@compiled()
def share(count, part, parts):
    """The part-th of `parts` nearly equal stretches of `range(count)`."""
    return count * part // parts, count * (part + 1) // parts


@compiled()
def quantize(p, image, memory, constants, first, last):
    """Real numbers to bytes; a NaN becomes 0."""
    numbers, scale = image.view(np.float32), constants[p.constants : p.constants + 1].view(np.float32)[0]
    for i in range(first * p.width * p.channels, last * p.width * p.channels):
        q = np.rint(numbers[i] / scale) + np.float32(p.zero_point)
        memory[p.target + i] = np.uint8(min(q, np.float32(255))) if q > 0 else np.uint8(0)


@compiled()
def lookup(p, image, memory, weights, first, last):
    """Bytes to bytes through one table of 256 a channel, which stands for normalising and quantising."""
    for i in range(first * p.width, last * p.width):
        for c in range(p.channels):
            entry = weights[p.weights + c * 256 + image[i * p.channels + c]]
            memory[p.target + i * p.channels + c] = np.uint8(entry)


@compiled()
def copy(p, source, source_at, target, target_at, first, last):
    """`channels` bytes of each pixel, from one distance between pixels to another."""
    for i in range(first * p.width, last * p.width):
        for c in range(p.channels):
            target[target_at + i * p.out_pixel + c] = source[source_at + i * p.pixel + c]


@compiled()
def padded(p, memory, scratch, first, last):
    """Where the input lines of output lines `first` to `last` lie with their border: (array, offset, line's bytes)."""
    line = p.width * p.pixel
    if p.top + p.left + p.bottom + p.right == 0:
        return memory, p.source + first * p.stride * line, line
    padded_line, border = line + (p.left + p.right) * p.pixel, np.uint8(p.input_zero_point)
    for row in range((last - 1 - first) * p.stride + p.kernel_height):
        y, at = first * p.stride + row - p.top, row * padded_line
        if 0 <= y < p.height:
            start, end = at + p.left * p.pixel, at + p.left * p.pixel + line
            scratch[at:start] = border
            scratch[start:end] = memory[p.source + y * line : p.source + (y + 1) * line]
            scratch[end : at + padded_line] = border
        else:
            scratch[at : at + padded_line] = border
    return scratch, np.int64(0), padded_line


@compiled()
def tile_offsets(p, start, line, first, pixels, offsets):
    """Where the windows of ROWS output pixels begin; beyond the last pixel it is repeated."""
    y, x = first // p.out_width, first % p.out_width
    for row in range(ROWS):
        offsets[row] = start + (y * line + x * p.pixel) * p.stride
        if first + row + 1 < pixels:
            x += 1
            if x == p.out_width:
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

    (out_y, out_x, out_c) ← (in_y, in_x, in_c) ⋆ (filter_y, filter_x, in_c, out_c): a window's line is contiguous, so the
    tile reads kernel_height stretches of kernel_width·pixel bytes and no patch is ever copied.
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
    offsets[:ROWS] = p.source
    width = (p.out_channels + PANEL - 1) // PANEL * PANEL
    scale, out = constants[p.constants + width : p.constants + 2 * width].view(np.float32), memory.view(np.float32)
    depth, panel = panel_size(p)
    for k in range(panels[0], panels[1]):
        dot_tile(memory, offsets, 1, 0, depth, weights, p.weights + k * panel, panel, 1, sums)
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


@compiled()
def add(p, memory, first, last):
    """((q1 − Z1)·m1 + (q2 − Z2)·m2 + 2^(s−1)) >> s, with one shift."""
    for i in range(first * p.width, last * p.width):
        for c in range(p.channels):
            total = (np.int64(memory[p.source + i * p.pixel + c]) - p.input_zero_point) * p.multiplier
            total += (np.int64(memory[p.other + i * p.other_pixel + c]) - p.other_zero_point) * p.other_multiplier
            memory[p.target + i * p.out_pixel + c] = rescale(total, 1, p.shift, p.zero_point, p.low, p.high)


@compiled()
def pool(p, memory, sums, first, last):
    """Windows of a max or average pool. Padding never wins a maximum and counts as a real zero in a mean."""
    for y in range(first, last):
        for x in range(p.out_width):
            sums[: p.channels] = 0
            inside = 0
            for in_y in range(max(0, y * p.stride - p.top), min(p.height, y * p.stride - p.top + p.kernel_height)):
                for in_x in range(max(0, x * p.stride - p.left), min(p.width, x * p.stride - p.left + p.kernel_width)):
                    inside += 1
                    at = p.source + (in_y * p.width + in_x) * p.pixel
                    if p.kind == MAX_POOL:
                        for c in range(p.channels):
                            sums[c] = max(sums[c], np.int32(memory[at + c]))
                    else:
                        for c in range(p.channels):
                            sums[c] += np.int32(memory[at + c])
            out = p.target + (y * p.out_width + x) * p.out_pixel
            for c in range(p.channels):
                if p.kind == MAX_POOL:
                    memory[out + c] = sums[c]
                else:
                    total = np.int64(sums[c]) - inside * p.input_zero_point
                    memory[out + c] = rescale(total, p.multiplier, p.shift, p.zero_point, p.low, p.high)


@compiled()
def clip(p, memory, first, last):
    """Bytes held between `low` and `high`."""
    for i in range(first * p.width, last * p.width):
        for c in range(p.channels):
            q = np.int64(memory[p.source + i * p.pixel + c])
            memory[p.target + i * p.out_pixel + c] = min(max(q, p.low), p.high)


@compiled()
def dequantize(p, memory, constants, first, last):
    """Bytes back to real numbers: (q − zero_point)·scale."""
    scale, out = constants[p.constants : p.constants + 1].view(np.float32)[0], memory.view(np.float32)
    for i in range(first * p.width, last * p.width):
        for c in range(p.channels):
            q = np.int64(memory[p.source + i * p.pixel + c]) - p.input_zero_point
            out[(p.target + i * p.out_pixel) // 4 + c] = np.float32(q) * scale


@compiled()
def run_layer(p, image, memory, scratch, sums, offsets, weights, constants, output, part, parts):
    """One thread's share of one layer on one image: lines, or channels where there are few lines and many weights."""
    first, last = share(p.out_height, part, parts)
    panels = (p.out_channels + PANEL - 1) // PANEL
    if p.kind == CONV2D and (p.out_height >= 8 or parts == 1):
        if last > first:
            lines, all_panels = (first, last), (0, panels)
            convolve(p, memory, scratch, sums, offsets, weights, constants, lines, all_panels)
    elif p.kind == CONV2D:
        lines = (np.int64(0), p.out_height)
        convolve(p, memory, scratch, sums, offsets, weights, constants, lines, share(panels, part, parts))
    elif p.kind == LOGITS:
        logits(p, memory, sums, offsets, weights, constants, share(panels, part, parts))
    elif p.kind == DEPTHWISE:
        if last > first:
            depthwise(p, memory, scratch, sums, offsets, weights, constants, first, last)
    elif p.kind == QUANTIZE:
        quantize(p, image, memory, constants, first, last)
    elif p.kind == LOOKUP:
        lookup(p, image, memory, weights, first, last)
    elif p.kind == COPY and p.source < 0:
        copy(p, image, 0, memory, p.target, first, last)
    elif p.kind == COPY:
        copy(p, memory, p.source, memory, p.target, first, last)
    elif p.kind == OUTPUT:
        copy(p, memory, p.source, output, 0, first, last)
    elif p.kind == ADD:
        add(p, memory, first, last)
    elif p.kind == CLIP:
        clip(p, memory, first, last)
    elif p.kind == DEQUANTIZE:
        dequantize(p, memory, constants, first, last)
    else:
        pool(p, memory, sums, first, last)
