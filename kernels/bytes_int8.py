"""The layers of one image that have no weights: between real numbers and bytes, moves, sums and pools.

`p` is the layer's record, see `layers_int8`; each function does the lines from `first` to `last`. Places are addresses.
"""

from __future__ import annotations

import numpy as np

from .jit import COMPILED, compiled

if COMPILED:
    from .lines_int8 import (
        add_line,
        clip_line,
        dequantize_line,
        fill,
        lookup_line,
        most_line,
        move,
        quantize_line,
        rescale_line,
        sum_line,
    )


@compiled(inline="always")
def quantize(p, image, memory, first, last):
    """Real numbers to bytes."""
    count = p.width * p.channels
    for y in range(first, last):
        quantize_line((image + 4 * y * count, memory + p.target + y * p.out_line, count, p.scale, p.zero_point))


@compiled(inline="always")
def lookup(p, image, memory, weights, first, last):
    """Bytes to bytes through one table of 256 a channel, which stands for normalising and quantising."""
    line = p.width * p.channels
    for y in range(first, last):
        source, target = image + y * line, memory + p.target + y * p.out_line
        lookup_line((source, weights + p.weights, target, p.width, p.channels))


@compiled()
def runs(p, even):
    """(pixels to take one by one, elements of each): whole lines where pixels lie equally far apart, `even`."""
    return (np.int64(1), p.width * p.pixel) if even else (p.width, p.channels)


@compiled()
def copy(p, source, target, first, last):
    """`channels` bytes of each pixel, from one distance between pixels to another."""
    width, count = runs(p, p.pixel == p.out_pixel == p.channels)
    for y in range(first, last):
        for x in range(width):
            move((source + y * p.line + x * p.pixel, target + y * p.out_line + x * p.out_pixel, count))


@compiled(inline="always")
def add(p, memory, first, last):
    """((q1 − Z1)·m1 + (q2 − Z2)·m2 + 2^(s−1)) >> s, with one shift."""
    width, count = runs(p, p.pixel == p.other_pixel == p.out_pixel)
    for y in range(first, last):
        for x in range(width):
            left, right = p.source + y * p.line + x * p.pixel, p.other + y * p.other_line + x * p.other_pixel
            add_line((
                memory + left, memory + right, memory + p.target + y * p.out_line + x * p.out_pixel, count,
                p.multiplier, p.other_multiplier, p.shift, p.input_zero_point, p.other_zero_point,
                p.zero_point, p.low, p.high,
            ))  # fmt: skip


@compiled(inline="always")
def pool(p, memory, totals, first, last, largest):
    """The largest byte or the mean of each window. Padding never wins a maximum, and is a real zero in a mean."""
    channels = p.channels
    for y in range(first, last):
        for x in range(p.out_width):
            fill((totals, 4 * channels, np.int64(0)))
            top, left, inside = y * p.stride - p.top, x * p.stride - p.left, np.int64(0)
            for in_y in range(max(0, top), min(p.height, top + p.kernel_height)):
                for in_x in range(max(0, left), min(p.width, left + p.kernel_width)):
                    inside += 1
                    pixel = memory + p.source + in_y * p.line + in_x * p.pixel
                    if largest:
                        most_line((pixel, totals, channels))
                    else:
                        sum_line((pixel, totals, channels))
            centre = inside * p.input_zero_point
            rescale_line((
                totals, memory + p.target + y * p.out_line + x * p.out_pixel, channels, centre,
                p.multiplier, p.shift, p.zero_point, p.low, p.high,
            ))  # fmt: skip


@compiled(inline="always")
def clip(p, memory, first, last):
    """Bytes held between `low` and `high`."""
    width, count = runs(p, p.pixel == p.out_pixel)
    for y in range(first, last):
        for x in range(width):
            source, target = p.source + y * p.line + x * p.pixel, p.target + y * p.out_line + x * p.out_pixel
            clip_line((memory + source, memory + target, count, p.low, p.high))


@compiled(inline="always")
def dequantize(p, memory, first, last):
    """Bytes back to real numbers: (q − zero_point)·scale."""
    width, count = runs(p, p.out_pixel == 4 * p.pixel)
    for y in range(first, last):
        for x in range(width):
            source, target = p.source + y * p.line + x * p.pixel, p.target + y * p.out_line + x * p.out_pixel
            dequantize_line((memory + source, memory + target, count, p.scale, p.input_zero_point))
