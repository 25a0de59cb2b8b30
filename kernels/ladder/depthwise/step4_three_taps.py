"""Three taps at once.

The taps are put into one list, with the distance of each from the first in the flat image, and are taken three at a
time: a vector of sums is loaded and stored for three multiply-adds instead of for each. Six loads for them, one load
and one store of sums: 2.7 accesses for an instruction of arithmetic, where there were 4. A filter whose taps are not a
multiple of three gets some with weight zero, which look at the first pixel again.

(Unfolding, the next rung of the other convolution, would not help here. It makes a matrix product out of a convolution
so that a pixel is used for many outputs; here a pixel is used for nine multiply-adds at most, and a matrix of patches
would write and read nine times the image for them.)
"""

from __future__ import annotations

import numpy as np

from ... import checks
from ...jit import compiled
from ..padding import pad_images

AT_ONCE = 3

#: Three pixels and weights, a load and a store of a sum, four bytes each, for three multiplications and additions.
BYTES_PER_OPERATION = 32 / 6


def list_taps(weight, line: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances from the first tap, in an image whose lines have `line` elements, and weights (taps, c)."""
    size_y, size_x, channels = weight.shape
    places = (np.arange(size_y)[:, None] * line + np.arange(size_x) * channels).reshape(-1)
    missing = -len(places) % AT_ONCE
    return np.pad(places, (0, missing)), np.pad(weight.reshape(-1, channels), ((0, missing), (0, 0)))


@compiled(fastmath={"contract"})
def add_taps(flat, start, places, weights, sums):
    """sums (c,) += the taps (taps, c) times what they meet in the flat image, whose first tap lies at `start`."""
    c = len(sums)
    for tap in range(0, len(places), AT_ONCE):
        p0, p1, p2 = start + places[tap], start + places[tap + 1], start + places[tap + 2]
        x0, x1, x2 = flat[p0 : p0 + c], flat[p1 : p1 + c], flat[p2 : p2 + c]
        w0, w1, w2 = weights[tap], weights[tap + 1], weights[tap + 2]
        for i in range(c):
            sums[i] += x0[i] * w0[i] + x1[i] * w1[i] + x2[i] * w2[i]


@compiled()
def convolve(padded, places, weights, stride, out):
    """out (n, out_y, out_x, c) += padded (n, y, x, c) ⋆ weights (taps, c) at `places`."""
    _, in_y, in_x, channels = padded.shape
    flat = padded.reshape(-1)
    for image in range(out.shape[0]):
        for out_y in range(out.shape[1]):
            for out_x in range(out.shape[2]):
                start = ((image * in_y + out_y * stride) * in_x + out_x * stride) * channels
                add_taps(flat, start, places, weights, out[image, out_y, out_x])


def depthwise_conv2d(x, weight, bias=None, stride=1, padding=0):
    """The convolution of x (n, y, x, c) with weight (filter_y, filter_x, c), channel by channel."""
    x, weight, bias, window = checks.depthwise_conv2d(x, weight, bias, stride, padding)
    padded = pad_images(x, window)
    places, weights = list_taps(weight, padded.shape[2] * padded.shape[3])
    out = np.zeros((len(x), window.out_y, window.out_x, x.shape[3]), x.dtype)
    convolve(padded, places, weights, window.stride, out)
    return out if bias is None else out + bias
