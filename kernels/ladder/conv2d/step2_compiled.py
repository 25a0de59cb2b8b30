"""The same loops, compiled.

The interpreter is gone. What is left for a multiply-add is two loads and two instructions of arithmetic, and a chain:
each addition waits four cycles for the one before, since floats may not be added in another order. One lane of sixteen
is used.

The innermost loop runs over the input's channels. They lie side by side in the image, but in the weights the next one
is cout numbers away: a cache line of 64 bytes is fetched for 4 of them, and with cout = 64 the whole filter, 147 KB,
is walked with such steps for each output. It fits the second cache, not the nearest.
"""

from __future__ import annotations

import numpy as np

from ... import checks
from ...jit import compiled
from ..padding import pad_images

#: Two loads of four bytes for a multiplication and an addition; the sum stays in a register.
BYTES_PER_OPERATION = 8 / 2


@compiled()
def convolve(padded, weight, stride, out):
    """out (n, out_y, out_x, cout) ← padded (n, y, x, cin) ⋆ weight (filter_y, filter_x, cin, cout)."""
    size_y, size_x, cin, cout = weight.shape
    for image in range(out.shape[0]):
        for out_y in range(out.shape[1]):
            for out_x in range(out.shape[2]):
                for j in range(cout):
                    total = out.dtype.type(0)
                    for filter_y in range(size_y):
                        for filter_x in range(size_x):
                            pixel = padded[image, out_y * stride + filter_y, out_x * stride + filter_x]
                            for i in range(cin):
                                total += pixel[i] * weight[filter_y, filter_x, i, j]
                    out[image, out_y, out_x, j] = total


def conv2d(x, weight, bias=None, stride=1, padding=0):
    """The convolution of x (n, y, x, cin) with weight (filter_y, filter_x, cin, cout)."""
    x, weight, bias, window = checks.conv2d(x, weight, bias, stride, padding)
    out = np.empty((len(x), window.out_y, window.out_x, weight.shape[3]), x.dtype)
    convolve(pad_images(x, window), weight, window.stride, out)
    return out if bias is None else out + bias
