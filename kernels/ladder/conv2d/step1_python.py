"""Seven loops in Python.

The textbook's definition: an output pixel's channel is the sum, over the filter's taps and the input's channels, of
what the filter meets there times its weight. Four loops say which output, three what is summed. For an image of 56 ×
56 × 64, a 3 × 3 filter and 64 outputs these are 116 million multiply-adds, 0.23 GFLOP, on 0.8 MB of pixels and 0.15 MB
of weights: each pixel and each weight is used hundreds of times, and what all steps after this one are about is where
it lies meanwhile.

The image is copied into one with a border of zeros first, so that no loop has to ask whether the filter hangs over the
edge. For one multiply-add the interpreter spends several hundred instructions.
"""

from __future__ import annotations

import numpy as np

from ... import checks
from ..padding import pad_images

#: Two loads of four bytes for a multiplication and an addition, as if the interpreter cost nothing.
BYTES_PER_OPERATION = 8 / 2


def conv2d(x, weight, bias=None, stride=1, padding=0):
    """The convolution of x (n, y, x, cin) with weight (filter_y, filter_x, cin, cout)."""
    x, weight, bias, window = checks.conv2d(x, weight, bias, stride, padding)
    padded, (_, _, cin, cout) = pad_images(x, window), weight.shape
    out = np.zeros((len(x), window.out_y, window.out_x, cout), x.dtype)
    for image in range(len(x)):
        for out_y in range(window.out_y):
            for out_x in range(window.out_x):
                for j in range(cout):
                    for filter_y in range(window.size_y):
                        for filter_x in range(window.size_x):
                            pixel = padded[image, out_y * stride + filter_y, out_x * stride + filter_x]
                            for i in range(cin):
                                out[image, out_y, out_x, j] += pixel[i] * weight[filter_y, filter_x, i, j]
    return out if bias is None else out + bias
