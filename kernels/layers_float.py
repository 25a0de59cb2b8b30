"""What a layer of a float32 plan is, and one function that does a share of any layer on some images.

A layer is a record of numbers: where its values lie in an arena, its geometry, and the bounds of its output. A value is
an image with a border of zeros wide enough for every filter that reads it. So no filter ever asks whether it is inside
the image, and the patches of any convolution lie in the arena as the register tile reads them: nothing is copied.
"""

from __future__ import annotations

import numpy as np

from .filters_float import convolve, depthwise
from .images_float import clear_border, combine, move, pool
from .jit import COMPILED, compiled
from .matrix_product import share

if COMPILED:
    from .moves import panel_width

#: A value's place in the arena (of its first pixel, or of a layer's first window), then the elements from one line,
#: pixel and image to the next; of the source, of a second source, and of the target.
PLACES = [f"{value}{field}" for value in ("source", "other", "target") for field in ("", "_line", "_pixel", "_image")]
GEOMETRY = [
    "kind", "height", "width", "channels", "out_height", "out_width", "out_channels", "size_y", "size_x", "stride",
    "top", "left",
]  # fmt: skip
BORDER = ["border_top", "border_bottom", "border_left", "border_right"]
INTEGERS = [*PLACES, *GEOMETRY, *BORDER, "weights", "constants"]
LAYER = np.dtype([*((name, np.int64) for name in INTEGERS), ("low", np.float32), ("high", np.float32)])

(INPUT, OUTPUT, COPY, CONV2D, DEPTHWISE, ADD, SCALE_SHIFT, MAX_POOL, AVG_POOL) = range(9)

#: Channels for each pixel of an image from which on a layer is cut by channels.
MANY_CHANNELS = 4


@compiled()
def run_layer(p, images, outputs, first_image, slot, count, memory, tables, weights, constants, part, parts):
    """A part of a layer on `count` images, which lie in the arena from `slot` and came from `images[first_image :]`.

    A part is a stretch of lines or pixels, or one of channels where these are many more: each thread then reads its own
    share of the weights alone.
    """
    rows, out_rows = tables[0], tables[1]
    zero, pixels, wide = np.int64(0), p.out_height * p.out_width, panel_width(memory)
    all_panels = (p.out_channels + wide - 1) // wide
    lines, panels = share(p.out_height, 1, part, parts), (zero, all_panels)
    stretch = share(count * pixels, 8, part, parts)
    if MANY_CHANNELS * pixels < p.out_channels and (p.kind == CONV2D or p.kind == DEPTHWISE):
        lines, stretch, panels = (zero, p.out_height), (zero, count * pixels), share(all_panels, 1, part, parts)
    if p.kind == CONV2D:
        convolve(p, memory, rows, out_rows, weights, constants, slot, stretch, panels)
    for image in range(slot, slot + count):
        first, last = lines
        source, target = p.source + image * p.source_image, p.target + image * p.target_image
        if p.kind == DEPTHWISE:
            depthwise(p, memory, rows, out_rows, tables[2], weights, constants, image, lines, panels)
        elif p.kind == INPUT:
            move(p, images[first_image + image - slot], zero, memory, target, first, last)
        elif p.kind == OUTPUT:
            move(p, memory, source, outputs[first_image + image - slot], zero, first, last)
        elif p.kind == COPY:
            move(p, memory, source, memory, target, first, last)
        elif p.kind == ADD or p.kind == SCALE_SHIFT:
            combine(p, memory, constants, image, first, last, p.kind == ADD)
        elif p.kind == MAX_POOL or p.kind == AVG_POOL:
            pool(p, memory, image, first, last, p.kind == MAX_POOL)
        if p.border_top + p.border_bottom + p.border_left + p.border_right > 0:
            first, last = share(p.out_height, 1, part, parts)
            clear_border(p, memory, image, first, last)
