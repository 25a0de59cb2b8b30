"""The inner loop runs along the outputs' channels.

With the output's channel innermost, a line of weights and the pixel's outputs lie side by side, and the input is one
number for all of them: the compiler makes vectors of sixteen (AVX-512), and no addition waits for its neighbour.

But now the sums travel. A pixel's 64 outputs, 256 bytes, are loaded and stored for every input channel of every tap,
576 times. They stay in the nearest cache, yet three accesses to it (weights, outputs, outputs back) stand against one
instruction of arithmetic, and for each output pixel all 147 KB of weights are read from the second cache: 9 bytes for
each that the image has.
"""

from __future__ import annotations

import numpy as np

from ... import checks
from ...jit import compiled
from ..padding import pad_images

#: A load of a weight, a load and a store of a sum, four bytes each, for a multiplication and an addition.
BYTES_PER_OPERATION = 12 / 2


@compiled()
def convolve(padded, weight, stride, out):
    """out (n, out_y, out_x, cout) += padded (n, y, x, cin) ⋆ weight (filter_y, filter_x, cin, cout)."""
    size_y, size_x, cin, cout = weight.shape
    for image in range(out.shape[0]):
        for out_y in range(out.shape[1]):
            for out_x in range(out.shape[2]):
                sums = out[image, out_y, out_x]
                for filter_y in range(size_y):
                    for filter_x in range(size_x):
                        pixel = padded[image, out_y * stride + filter_y, out_x * stride + filter_x]
                        for i in range(cin):
                            factor, line = pixel[i], weight[filter_y, filter_x, i]
                            for j in range(cout):
                                sums[j] += factor * line[j]


def conv2d(x, weight, bias=None, stride=1, padding=0):
    """The convolution of x (n, y, x, cin) with weight (filter_y, filter_x, cin, cout)."""
    x, weight, bias, window = checks.conv2d(x, weight, bias, stride, padding)
    out = np.zeros((len(x), window.out_y, window.out_x, weight.shape[3]), x.dtype)
    convolve(pad_images(x, window), weight, window.stride, out)
    return out if bias is None else out + bias
