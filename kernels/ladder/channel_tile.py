"""The register tile of a depthwise convolution: the sums of eight pixels by one vector of channels.

Each channel has a filter of its own, so nothing is spread over a vector: pixel, weight and sum are vectors over the
channels. What a tile can share is the weight, loaded once for eight neighbouring pixels:

    for filter_y, filter_x in taps:
        weight = weights[filter_y, filter_x, :]            # one vector
        for pixel in range(PIXELS):
            sums[pixel] += band[filter_y, pixel·stride + filter_x, :] * weight

That is 9 loads for 8 multiply-adds and no store until the taps are through, where the loops before it made 24 and 8. A
product's tile shares both sides and needs but 10 for 16: a depthwise convolution never comes as near to the peak.
"""

from __future__ import annotations

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .float_tile import INDEX, PIXELS, Writer


@intrinsic
def channel_tile(typing, band, band_at, band_steps, weights, weights_at, weight_step, taps, out, out_at, out_step):
    """out (PIXELS, lanes) ← band (filter_y, filter_x, lanes) under each pixel ⋆ weights (filter_y, filter_x, lanes).

    All in elements: `band_steps` between the band's lines, the tile's pixels and neighbouring taps, `weight_step` between
    the weights of neighbouring taps, `out_step` between pixels of the output. `taps` is (filter_y, filter_x).
    """

    def generate(context, builder, signature, arguments):
        write = Writer(context, builder, signature, arguments)
        _, band_at, band_steps, _, weights_at, weight_step, taps, _, out_at, out_step = arguments
        line, pixel, tap = cgutils.unpack_tuple(builder, band_steps, 3)
        size_y, size_x = cgutils.unpack_tuple(builder, taps, 2)
        sums = write.sums(PIXELS, 1)
        with cgutils.for_range(builder, size_y) as lines, cgutils.for_range(builder, size_x) as columns:
            place = builder.add(builder.mul(lines.index, line), builder.mul(columns.index, tap))
            number = builder.add(builder.mul(lines.index, size_x), columns.index)
            weight = write.load(write.pointer(3, weights_at, builder.mul(number, weight_step)))
            for i in range(PIXELS):
                values = write.load(write.pointer(0, band_at, place, builder.mul(pixel, INDEX(i))))
                write.multiply_add(values, weight, sums[i][0])
        for i in range(PIXELS):
            write.store(sums[i][0], write.pointer(7, out_at, builder.mul(out_step, INDEX(i))))
        return context.get_dummy_value()

    size, two, three = types.int64, types.UniTuple(types.int64, 2), types.UniTuple(types.int64, 3)
    return types.void(band, size, three, weights, size, size, two, out, size, size), generate
