"""The inner loop runs along the channels.

Pixels, weights and outputs all have their channels side by side. With c innermost the compiler makes vectors of
sixteen (AVX-512), every cache line gives all its bytes, and no addition waits for its neighbour.

The sums have left the registers for it: for each tap the loop loads a vector of the image, one of weights and one of
sums, and stores the sums: four accesses to memory for one instruction of arithmetic. They go to the nearest cache,
which takes two loads and a store a cycle, so that a core which could start two multiply-adds a cycle starts 0.67 at
best.
"""

from __future__ import annotations

import numpy as np

from ... import checks
from ...jit import compiled
from ..padding import pad_images

#: Loads of a pixel, a weight and a sum and a store of the sum, four bytes each, for a multiplication and an addition.
BYTES_PER_OPERATION = 16 / 2


@compiled()
def convolve(padded, weight, stride, out):
    """out (n, out_y, out_x, c) += padded (n, y, x, c) ⋆ weight (filter_y, filter_x, c)."""
    size_y, size_x, channels = weight.shape
    for image in range(out.shape[0]):
        for out_y in range(out.shape[1]):
            for out_x in range(out.shape[2]):
                sums = out[image, out_y, out_x]
                for filter_y in range(size_y):
                    for filter_x in range(size_x):
                        pixel = padded[image, out_y * stride + filter_y, out_x * stride + filter_x]
                        factors = weight[filter_y, filter_x]
                        for c in range(channels):
                            sums[c] += pixel[c] * factors[c]


def depthwise_conv2d(x, weight, bias=None, stride=1, padding=0):
    """The convolution of x (n, y, x, c) with weight (filter_y, filter_x, c), channel by channel."""
    x, weight, bias, window = checks.depthwise_conv2d(x, weight, bias, stride, padding)
    out = np.zeros((len(x), window.out_y, window.out_x, x.shape[3]), x.dtype)
    convolve(pad_images(x, window), weight, window.stride, out)
    return out if bias is None else out + bias
