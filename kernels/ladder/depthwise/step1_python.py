"""Six loops in Python.

A filter for each channel: output channel c sees input channel c alone, so of the convolution's seven loops one is
gone, and with it almost all the arithmetic. A 3 × 3 filter makes 9 multiply-adds for each output. At stride 1 a number
comes from memory and one goes there: 18 operations for 8 bytes. A matrix product of 1024 × 1024 makes 171 for a byte,
this makes 2.25. That is the number to keep in mind on the way up: memory will set the limit here, where elsewhere
arithmetic does.

In the interpreter nothing of the kind can be seen; a multiply-add costs several hundred instructions.
"""

from __future__ import annotations

import numpy as np

from ... import checks
from ..padding import pad_images

#: Two loads of four bytes for a multiplication and an addition, as if the interpreter cost nothing.
BYTES_PER_OPERATION = 8 / 2


def depthwise_conv2d(x, weight, bias=None, stride=1, padding=0):
    """The convolution of x (n, y, x, c) with weight (filter_y, filter_x, c), channel by channel."""
    x, weight, bias, window = checks.depthwise_conv2d(x, weight, bias, stride, padding)
    padded = pad_images(x, window)
    out = np.zeros((len(x), window.out_y, window.out_x, x.shape[3]), x.dtype)
    for image in range(len(x)):
        for out_y in range(window.out_y):
            for out_x in range(window.out_x):
                for c in range(x.shape[3]):
                    for filter_y in range(window.size_y):
                        for filter_x in range(window.size_x):
                            pixel = padded[image, out_y * stride + filter_y, out_x * stride + filter_x]
                            out[image, out_y, out_x, c] += pixel[c] * weight[filter_y, filter_x, c]
    return out if bias is None else out + bias
