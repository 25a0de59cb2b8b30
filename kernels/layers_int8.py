"""What an int8 layer is, and one function that does a share of any layer on one image.

A layer is a record of integers: its geometry, its zero points, and where its values lie in an arena of bytes. A value
is an image whose pixels lie `pixel` bytes apart, a multiple of eight, so that vectors may run over the last channel:
what they write there meets zero weights only.
"""

from __future__ import annotations

import numpy as np

from .bytes_int8 import add, clip, copy, dequantize, lookup, pool, quantize
from .filters_int8 import convolve, depthwise, logits
from .jit import compiled
from .sizes_int8 import PANEL

FIELDS = (
    "kind source target height width channels pixel other other_pixel out_height out_width out_channels out_pixel "
    "kernel_height kernel_width stride top left bottom right input_zero_point other_zero_point zero_point low high "
    "multiplier other_multiplier shift weights constants"
)
LAYER = np.dtype([(name, np.int64) for name in FIELDS.split()])

(QUANTIZE, LOOKUP, COPY, OUTPUT, CONV2D, DEPTHWISE, LOGITS, ADD, MAX_POOL, AVG_POOL, CLIP, DEQUANTIZE) = range(12)


@compiled()
def share(count, part, parts):
    """The part-th of `parts` nearly equal stretches of `range(count)`."""
    return count * part // parts, count * (part + 1) // parts


@compiled()
def run_layer(p, image, memory, scratch, sums, offsets, weights, constants, output, part, parts):
    """One thread's share of one layer on one image: lines, or channels where there are few lines and many weights."""
    first, last = share(p.out_height, part, parts)
    panels = (p.out_channels + PANEL - 1) // PANEL
    zero = np.int64(0)  # a literal 0 has a type of its own, for which callees would be compiled again
    if p.kind == CONV2D and (p.out_height >= 8 or parts == 1):
        if last > first:
            convolve(p, memory, scratch, sums, offsets, weights, constants, (first, last), (zero, panels))
    elif p.kind == CONV2D:
        lines = (zero, p.out_height)
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
        copy(p, image, zero, memory, p.target, first, last)
    elif p.kind == COPY:
        copy(p, memory, p.source, memory, p.target, first, last)
    elif p.kind == OUTPUT:
        copy(p, memory, p.source, output, zero, first, last)
    elif p.kind == ADD:
        add(p, memory, first, last)
    elif p.kind == CLIP:
        clip(p, memory, first, last)
    elif p.kind == DEQUANTIZE:
        dequantize(p, memory, constants, first, last)
    else:
        pool(p, memory, sums, first, last, p.kind == MAX_POOL)
