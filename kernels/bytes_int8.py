"""The layers of one image that have no weights: between real numbers and bytes, moves, sums and pools.

`p` is the layer's record, see `layers_int8`; each function does the lines from `first` to `last`.
"""

from __future__ import annotations

import numpy as np

from .jit import COMPILED, compiled

if COMPILED:
    from .moves import clear
    from .moves import copy as move


@compiled()
def rescale(total, multiplier, shift, zero_point, low, high):
    """clip(zero_point + ((total·m + 2^(s−1)) >> s), low, high) in int64."""
    one = np.int64(1)
    result = zero_point + ((total * np.int64(multiplier) + (one << np.int64(shift - 1))) >> np.int64(shift))
    return min(max(result, low), high)


@compiled()
def quantize(p, image, memory, first, last):
    """Real numbers to bytes; a NaN becomes 0."""
    scale, zero_point, line = p.scale, np.float32(p.zero_point), p.width * p.channels
    for y in range(first, last):
        numbers, out = image.view(np.float32)[y * line : (y + 1) * line], memory[p.target + y * p.out_line :]
        for i in range(line):
            q = np.rint(numbers[i] / scale) + zero_point
            out[i] = np.uint8(min(q, np.float32(255))) if q > 0 else np.uint8(0)


@compiled()
def lookup(p, image, memory, weights, first, last):
    """Bytes to bytes through one table of 256 a channel, which stands for normalising and quantising."""
    channels, line = p.channels, p.width * p.channels
    tables = weights[p.weights : p.weights + channels * 256].view(np.uint8)
    for y in range(first, last):
        pixels, out = image[y * line : (y + 1) * line], memory[p.target + y * p.out_line :]
        for x in range(0, line, channels):
            for c in range(channels):
                out[x + c] = tables[c * 256 + pixels[x + c]]


@compiled()
def copy(p, source, source_at, target, target_at, first, last):
    """`channels` bytes of each pixel, from one distance between pixels to another; whole lines where they are equal."""
    pixel, out_pixel, channels, width = p.pixel, p.out_pixel, p.channels, p.width
    if pixel == out_pixel == channels:
        channels, width = channels * width, 1
    for y in range(first, last):
        line, out_line = source_at + y * p.line, target_at + y * p.out_line
        for x in range(width):
            move(source, line + x * pixel, target, out_line + x * out_pixel, channels)


@compiled()
def add(p, memory, first, last):
    """((q1 − Z1)·m1 + (q2 − Z2)·m2 + 2^(s−1)) >> s, with one shift."""
    m1, m2, z1, z2 = p.multiplier, p.other_multiplier, p.input_zero_point, p.other_zero_point
    shift, zero_point, low, high, channels = p.shift, p.zero_point, p.low, p.high, p.channels
    for y in range(first, last):
        for x in range(p.width):
            # Slices: an index that begins at 0 needs no check for negative ones and so lets the loop become vectors.
            left = memory[p.source + y * p.line + x * p.pixel :]
            right = memory[p.other + y * p.other_line + x * p.other_pixel :]
            out = memory[p.target + y * p.out_line + x * p.out_pixel :]
            for c in range(channels):
                total = (np.int64(left[c]) - z1) * m1 + (np.int64(right[c]) - z2) * m2
                out[c] = rescale(total, 1, shift, zero_point, low, high)


@compiled()
def pool(p, memory, sums, first, last, largest):
    """The largest byte or the mean of each window. Padding never wins a maximum, and is a real zero in a mean."""
    channels = p.channels
    for y in range(first, last):
        for x in range(p.out_width):
            clear(sums, 0, channels)
            top, left, inside = y * p.stride - p.top, x * p.stride - p.left, 0
            for in_y in range(max(0, top), min(p.height, top + p.kernel_height)):
                for in_x in range(max(0, left), min(p.width, left + p.kernel_width)):
                    inside += 1
                    pool_pixel(memory, p.source + in_y * p.line + in_x * p.pixel, sums, channels, largest)
            out, centre = p.target + y * p.out_line + x * p.out_pixel, inside * p.input_zero_point
            multiplier, shift, zero_point, low, high = p.multiplier, p.shift, p.zero_point, p.low, p.high
            for c in range(channels):
                total = np.int64(sums[c])
                pooled = total if largest else rescale(total - centre, multiplier, shift, zero_point, low, high)
                memory[out + c] = pooled


@compiled()
def pool_pixel(memory, at, sums, channels, largest):
    """Take one pixel into a window's maxima or sums."""
    pixel = memory[at : at + channels]
    if largest:
        for c in range(channels):
            sums[c] = max(sums[c], np.int32(pixel[c]))
    else:
        for c in range(channels):
            sums[c] += np.int32(pixel[c])


@compiled()
def clip(p, memory, first, last):
    """Bytes held between `low` and `high`."""
    low, high, channels = p.low, p.high, p.channels
    for y in range(first, last):
        for x in range(p.width):
            at, out = p.source + y * p.line + x * p.pixel, p.target + y * p.out_line + x * p.out_pixel
            for c in range(channels):
                memory[out + c] = min(max(np.int64(memory[at + c]), low), high)


@compiled()
def dequantize(p, memory, first, last):
    """Bytes back to real numbers: (q − zero_point)·scale."""
    scale, zero_point, channels = p.scale, p.input_zero_point, p.channels
    for y in range(first, last):
        for x in range(p.width):
            start = p.target + y * p.out_line + x * p.out_pixel
            pixel = memory[p.source + y * p.line + x * p.pixel :]
            out = memory[start : start + 4 * channels].view(np.float32)
            for c in range(channels):
                out[c] = np.float32(np.int64(pixel[c]) - zero_point) * scale
