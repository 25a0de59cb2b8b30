"""The layers of a float32 plan that have no filters: sums, poolings, copies, and the border of zeros around a value.

`p` is a layer's record (see `layers_float`). Each function does the lines from `first` to the one before `last`.
"""

from __future__ import annotations

import numpy as np

from .jit import COMPILED, compiled

if COMPILED:
    from .moves import clear, copy


@compiled(inline="always")
def held_between(value, low, high):
    """`value`, or the bound that it passes; a NaN stays one."""
    value = low if value < low else value
    return high if value > high else value


@compiled()
def combine(p, memory, constants, image, first, last, adds):
    """Lines of the sum of two values or, unless it `adds`, of one value scaled and shifted channel by channel."""
    low, high, channels, length = p.low, p.high, p.channels, p.width * p.channels
    factors, shifts = constants[p.constants :][:channels], constants[p.constants + channels :][:channels]
    for y in range(first, last):
        source = memory[p.source + image * p.source_image + y * p.source_line :][:length]
        target = memory[p.target + image * p.target_image + y * p.target_line :][:length]
        if adds:
            other = memory[p.other + image * p.other_image + y * p.other_line :][:length]
            for i in range(length):
                target[i] = held_between(source[i] + other[i], low, high)
        else:
            for x in range(0, length, channels):
                for c in range(channels):
                    target[x + c] = held_between(source[x + c] * factors[c] + shifts[c], low, high)


@compiled()
def pool(p, memory, image, first, last, largest):
    """Lines of the `largest` or of the mean of each window; a NaN counts as the largest, padding as 0 in a mean."""
    source, channels, area = p.source + image * p.source_image, p.channels, np.float32(p.size_y * p.size_x)
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
