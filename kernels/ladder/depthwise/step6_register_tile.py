"""Sums in registers: the tile.

The tile of `channel_tile.py` holds the sums of eight neighbouring pixels by a vector of channels, from the first tap
to the last. A weight is loaded once for eight pixels: 9 loads for 8 multiply-adds and no store, where three taps at
once made 7 loads and a store for 3. The output is written once, and never read.

Eight pixels under a 3 × 3 filter meet 3 lines of 10 pixels. All their channels, 128 · 4 bytes each, are 15 KB: they
fit the nearest cache, so of the 72 loads of pixels that a tile makes only those of new pixels go further, and the next
eight pixels find two columns still there.
"""

from __future__ import annotations

import numpy as np

from ... import checks
from ...jit import compiled
from ..channel_tile import channel_tile
from ..float_tile import PIXELS, VECTOR_BYTES
from ..padding import pad_matrix, round_up
from .step4_three_taps import list_taps
from .step5_blocking import BAND, copy_band

#: Eight pixels and a weight of four bytes for eight multiplications and additions.
BYTES_PER_OPERATION = 4 * (PIXELS + 1) / (2 * PIXELS)


@compiled()
def convolve_band(x, window, places, weights, out, image, first):
    """out[image, first : first + BAND] ← the convolution there, whose pixels and channels come in whole tiles."""
    stride, channels, (_, out_y, out_x, wide) = window.stride, x.shape[3], out.shape
    lanes, line = VECTOR_BYTES // x.itemsize, ((out_x - 1) * stride + window.size_x) * channels
    lines = (BAND - 1) * stride + window.size_y
    # A vector may reach beyond a pixel's channels, at the very end by almost a whole one: those sums are cut off later.
    scratch = np.empty(lines * line + lanes, x.dtype)
    copy_band(x, image, first * stride - window.top, window.left, line, scratch[: lines * line])
    factors, result = weights.reshape(-1), out.reshape(-1)
    for y in range(first, min(first + BAND, out_y)):
        for pixel in range(0, out_x, PIXELS):
            source = (y - first) * stride * line + pixel * stride * channels
            target = ((image * out_y + y) * out_x + pixel) * wide
            for channel in range(0, wide, lanes):
                channel_tile(
                    scratch, source + channel, stride * channels, places, factors, channel, wide,
                    result, target + channel, wide,
                )  # fmt: skip


@compiled()
def convolve(x, window, places, weights, out):
    """out (n, out_y, out_x, c) ← x (n, y, x, c) ⋆ weights (taps, c)."""
    for image in range(len(x)):
        for first in range(0, window.out_y, BAND):
            convolve_band(x, window, places, weights, out, image, first)


def prepare(x, weight, window):
    """The places of the taps in a band, their weights (taps, c), and an output to fill: all in whole tiles."""
    out_x, channels = round_up(window.out_x, PIXELS), x.shape[3]
    places, weights = list_taps(weight, ((out_x - 1) * window.stride + window.size_x) * channels)
    weights = pad_matrix(weights, 1, VECTOR_BYTES // x.itemsize)
    return places, weights, np.empty((len(x), window.out_y, out_x, weights.shape[1]), x.dtype)


def depthwise_conv2d(x, weight, bias=None, stride=1, padding=0):
    """The convolution of x (n, y, x, c) with weight (filter_y, filter_x, c), channel by channel."""
    x, weight, bias, window = checks.depthwise_conv2d(x, weight, bias, stride, padding)
    places, weights, out = prepare(x, weight, window)
    convolve(x, window, places, weights, out)
    out = np.ascontiguousarray(out[:, :, : window.out_x, : x.shape[3]])
    return out if bias is None else out + bias
