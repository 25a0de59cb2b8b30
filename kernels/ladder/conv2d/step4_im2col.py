"""Patches unfolded to a matrix (im2col): a convolution is a matrix product.

What a filter meets at one output pixel, filter_y·filter_x·cin numbers, is written out as a row. All pixels' rows form
a matrix, the filter as it lies in memory is another, (filter_y·filter_x·cin, cout), and the convolution is their
product. Everything that the ladder of the matrix product has found out can be used at once: here its packed panels and
four rows of the filter at a time.

The price is memory. With a 3 × 3 filter and stride 1 every pixel lies in nine patches, so the matrix is nine times the
image: 7.2 MB for 0.8 MB. It is written to memory and read again, and the copy costs no arithmetic at all. (Chellapilla
et al. 2006, "High Performance Convolutional Neural Networks for Document Processing".)
"""

from __future__ import annotations

import numpy as np

from ... import checks
from ...jit import compiled
from ..gemm.step5_packing import AT_ONCE, BYTES_PER_OPERATION, COLUMNS, multiply, pack
from ..padding import pad_images, pad_matrix, round_up

__all__ = ["BYTES_PER_OPERATION", "conv2d", "unfold"]


@compiled()
def unfold(padded, window, first, last, patches):
    """patches (last − first, filter_y·filter_x·cin) ← what meets the filter at output pixels `first` to `last`."""
    _, in_y, in_x, cin = padded.shape
    flat, line = padded.reshape(-1), window.size_x * cin
    for pixel in range(first, last):
        image, place = divmod(pixel, window.out_y * window.out_x)
        out_y, out_x = divmod(place, window.out_x)
        for filter_y in range(window.size_y):
            start = ((image * in_y + out_y * window.stride + filter_y) * in_x + out_x * window.stride) * cin
            source = flat[start : start + line]
            target = patches[pixel - first, filter_y * line : (filter_y + 1) * line]
            for i in range(line):
                target[i] = source[i]


def conv2d(x, weight, bias=None, stride=1, padding=0):
    """The convolution of x (n, y, x, cin) with weight (filter_y, filter_x, cin, cout)."""
    x, weight, bias, window = checks.conv2d(x, weight, bias, stride, padding)
    cout = weight.shape[3]
    filters = pad_matrix(weight.reshape(-1, cout), AT_ONCE, COLUMNS)
    patches = np.zeros((len(x) * window.out_y * window.out_x, len(filters)), x.dtype)
    unfold(pad_images(x, window), window, 0, len(patches), patches)
    out = np.zeros((len(patches), round_up(cout, COLUMNS)), x.dtype)
    multiply(patches, pack(filters, COLUMNS), out)
    out = np.ascontiguousarray(out[:, :cout]).reshape(len(x), window.out_y, window.out_x, cout)
    return out if bias is None else out + bias
