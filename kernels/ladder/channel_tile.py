"""The register tile of a depthwise convolution: the sums of eight pixels by one vector of channels.

Each channel has a filter of its own, so nothing is spread over a vector: pixel, weight and sum are vectors over the
channels. What a tile can share is the weight, loaded once for eight neighbouring pixels:

    for tap in range(taps):
        weight = weights[tap, :]                           # one vector
        for pixel in range(PIXELS):
            sums[pixel] += band[places[tap] + pixel * stride, :] * weight

That is 9 loads for 8 multiply-adds and no store until the taps are through. A product's tile shares both sides and
needs but 10 for 16: a depthwise convolution never comes as near to the peak.
"""

from __future__ import annotations

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .float_tile import INDEX, PIXELS, Writer


@intrinsic
def channel_tile(typing, band, band_at, pixel_step, places, weights, weights_at, weight_step, out, out_at, out_step):
    """out (PIXELS, lanes) ← Σ over the taps of band (PIXELS, lanes) at `places` (taps,) · weights (taps, lanes).

    Steps are between neighbouring pixels of the tile or taps, in elements, as the places are.
    """

    def generate(context, builder, signature, arguments):
        write = Writer(context, builder, signature, arguments)
        _, band_at, pixel_step, _, _, weights_at, weight_step, _, out_at, out_step = arguments
        taps = context.make_array(signature.args[3])(context, builder, arguments[3]).nitems
        sums = write.sums(PIXELS, 1)
        pixels = [write.pointer(0, band_at, builder.mul(pixel_step, INDEX(i))) for i in range(PIXELS)]
        with cgutils.for_range(builder, taps) as loop:
            place = builder.load(write.pointer(3, loop.index))
            weight = write.load(write.pointer(4, weights_at, builder.mul(loop.index, weight_step)))
            for i in range(PIXELS):
                write.multiply_add(write.load(builder.gep(pixels[i], [place])), weight, sums[i][0])
        for i in range(PIXELS):
            write.store(sums[i][0], write.pointer(7, out_at, builder.mul(out_step, INDEX(i))))
        return context.get_dummy_value()

    size = types.int64
    return types.void(band, size, size, places, weights, size, size, out, size, size), generate
