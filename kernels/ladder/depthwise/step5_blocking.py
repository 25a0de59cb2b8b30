"""A band of lines that stays in the cache.

So far the whole image was copied into one with a border: a pass over memory that reads and writes everything and
computes nothing, for a kernel that itself reads everything once and writes everything once. Now only the lines under
BAND rows of output are copied, into a scratch with their border of zeros, and used while they are warm: for 56 × 56 ×
128 that is 6 lines of 58 pixels, 178 KB, in the second cache.

At stride 1 the two lines between neighbouring bands are copied twice, 6 for 4 rows of output, mostly from the cache;
larger bands would copy fewer and no longer fit. Memory gives the image once and takes the output once.
"""

from __future__ import annotations

import numpy as np

from ... import checks
from ...jit import compiled
from .step4_three_taps import BYTES_PER_OPERATION, add_taps, list_taps

__all__ = ["BYTES_PER_OPERATION", "copy_band", "depthwise_conv2d"]

#: Rows of output that are computed from one scratch.
BAND = 4


@compiled()
def copy_band(x, image, top, left, line, band):
    """band (lines · line) ← x[image] from line `top` and column −`left` on, with zeros outside of it."""
    _, in_y, in_x, channels = x.shape
    begin = min(left * channels, line)
    end = min(begin + in_x * channels, line)
    for number in range(len(band) // line):
        target, y = band[number * line : (number + 1) * line], top + number
        if 0 <= y < in_y:
            source, inside = x[image, y].reshape(-1), target[begin:end]
            target[:begin] = 0
            for i in range(len(inside)):
                inside[i] = source[i]
            target[end:] = 0
        else:
            target[:] = 0


@compiled()
def convolve(x, window, places, weights, out):
    """out (n, out_y, out_x, c) += x (n, y, x, c) ⋆ weights (taps, c) at `places` in a band."""
    channels, stride = x.shape[3], window.stride
    line = ((window.out_x - 1) * stride + window.size_x) * channels
    band = np.empty(((BAND - 1) * stride + window.size_y) * line, x.dtype)
    for image in range(len(x)):
        for first in range(0, window.out_y, BAND):
            copy_band(x, image, first * stride - window.top, window.left, line, band)
            for out_y in range(first, min(first + BAND, window.out_y)):
                for out_x in range(window.out_x):
                    start = (out_y - first) * stride * line + out_x * stride * channels
                    add_taps(band, start, places, weights, out[image, out_y, out_x])


def depthwise_conv2d(x, weight, bias=None, stride=1, padding=0):
    """The convolution of x (n, y, x, c) with weight (filter_y, filter_x, c), channel by channel."""
    x, weight, bias, window = checks.depthwise_conv2d(x, weight, bias, stride, padding)
    places, weights = list_taps(weight, ((window.out_x - 1) * window.stride + window.size_x) * x.shape[3])
    out = np.zeros((len(x), window.out_y, window.out_x, x.shape[3]), x.dtype)
    convolve(x, window, places, weights, out)
    return out if bias is None else out + bias
