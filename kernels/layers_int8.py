"""What an int8 layer is, and one function that does a share of any layer on one image.

A layer is a record of integers: its geometry, its zero points, and where its values lie in an arena of bytes. A value
is an image of lines `line` bytes apart and pixels `pixel` bytes apart. Around it there may be a border of the byte that
stands for zero: the layer that writes a value also writes its border, so that a convolution never asks where it is.

Functions with one caller are inlined: Numba compiles a function again in each of those that call it, level by level.
"""

from __future__ import annotations

import numpy as np

from .bytes_int8 import add, clip, copy, dequantize, lookup, pool, quantize
from .filters_int8 import convolve, depthwise, logits
from .jit import COMPILED, compiled
from .sizes_int8 import PANEL, VECTOR

if COMPILED:
    from .lines_int8 import fill

FIELDS = (
    "kind source line target out_line height width channels pixel other other_line other_pixel "
    "out_height out_width out_channels out_pixel out_top out_bottom out_left out_right border "
    "kernel_height kernel_width stride top left input_zero_point other_zero_point zero_point low high "
    "multiplier other_multiplier shift weights constants bounds table segments depth steep shared band scale"
)
LAYER = np.dtype([(name, np.int64) for name in FIELDS.split()])

QUANTIZE, LOOKUP, COPY, OUTPUT, ADD, MAX_POOL, AVG_POOL, CLIP, DEQUANTIZE = range(9)
CONV2D, DEPTHWISE, FUSED, LOGITS = range(9, 13)  # those with weights

#: Lines below which the threads share channels instead: few lines come with many weights.
FEW_LINES = 8


@compiled(inline="always")
def share(count, part, parts):
    """The part-th of `parts` nearly equal stretches of `range(count)`."""
    return count * part // parts, count * (part + 1) // parts


@compiled(inline="always")
def window_start(p, y):
    """Where, from the arena's beginning, the windows of output line y begin."""
    return p.source + (y * p.stride - p.top) * p.line - p.left * p.pixel


@compiled()
def fill_border(p, memory, first, last):
    """The border of output lines `first` to `last`, and of the image's top and bottom beside them."""
    start, line, border = memory + p.target, p.out_line, p.border
    left, inside, right = p.out_left * p.out_pixel, p.out_width * p.out_pixel, p.out_right * p.out_pixel
    if first == 0:
        fill((start - p.out_top * line - left, p.out_top * line, border))
    for y in range(first, last):
        fill((start + y * line - left, left, border))
        fill((start + y * line + inside, right, border))
    if last == p.out_height:
        fill((start + last * line - left, p.out_bottom * line, border))


@compiled(inline="always")
def convolve_lines(p, memory, first, last, panels, data):
    """Some output lines of a convolution, a band of them at a time."""
    for y in range(first, last, p.band):
        lines = min(p.band, last - y)
        convolve(p, memory + window_start(p, y), memory + p.target + y * p.out_line, lines * p.out_width, panels, data)


@compiled(inline="always")
def separable_lines(p, q, memory, scratch, first, last, data):
    """Some output lines of a depthwise convolution p and the pointwise one q behind it, a band at a time.

    What lies between the two never leaves the nearest cache.
    """
    line, panels = p.out_width * p.out_pixel, (q.out_channels + PANEL - 1) // PANEL
    for y in range(first, last, q.band):
        lines, zero = min(q.band, last - y), np.int64(0)
        blocks = (zero, (p.out_channels + VECTOR - 1) // VECTOR)
        depthwise(p, memory + window_start(p, y), scratch, line, lines, blocks, data)
        convolve(q, scratch, memory + q.target + y * q.out_line, lines * q.out_width, (zero, panels), data)


@compiled(inline="always")
def run_filter(layers, i, memory, scratch, first, last, part, parts, data):
    """A thread's share of a layer that has weights: lines, or channels where lines are few."""
    p = layers[i]
    zero, few = np.int64(0), p.out_height < FEW_LINES
    unit = VECTOR if p.kind == DEPTHWISE else PANEL
    groups = (zero, (p.out_channels + unit - 1) // unit)
    if few:
        first, last, groups = zero, p.out_height, share(groups[1], part, parts)
    if p.kind == FUSED:
        separable_lines(p, layers[i + 1], memory, scratch, first, last, data)
    elif p.kind == CONV2D:
        convolve_lines(p, memory, first, last, groups, data)
    elif p.kind == DEPTHWISE:
        start, target = memory + window_start(p, first), memory + p.target + first * p.out_line
        depthwise(p, start, target, p.out_line, last - first, groups, data)
    else:
        logits(p, memory + p.source, memory + p.target, groups, data)


@compiled(inline="always")
def run_bytes(p, image, memory, totals, output, first, last, data):
    """Some lines of a layer without filters."""
    if p.kind == QUANTIZE:
        quantize(p, image, memory, first, last)
    elif p.kind == LOOKUP:
        lookup(p, image, memory, data.weights, first, last)
    elif p.kind == COPY or p.kind == OUTPUT:
        source, target = image if p.source < 0 else memory + p.source, memory + p.target
        copy(p, source, output if p.kind == OUTPUT else target, first, last)
    elif p.kind == ADD:
        add(p, memory, first, last)
    elif p.kind == CLIP:
        clip(p, memory, first, last)
    elif p.kind == DEQUANTIZE:
        dequantize(p, memory, first, last)
    else:
        pool(p, memory, totals, first, last, p.kind == MAX_POOL)


@compiled()
def run_layer(layers, i, image, memory, scratch, totals, output, part, parts, data):
    """One thread's share of one layer on one image."""
    p = layers[i]
    first, last = share(p.out_height, part, parts)
    if p.kind >= CONV2D:
        run_filter(layers, i, memory, scratch, first, last, part, parts, data)
    else:
        run_bytes(p, image, memory, totals, output, first, last, data)
    if p.kind == FUSED:
        fill_border(layers[i + 1], memory, first, last)
    elif p.kind != OUTPUT:
        fill_border(p, memory, first, last)
