"""Two threads.

The bands of all images are dealt out to the threads; each has a scratch of its own, and writes rows of the output that
no other writes.

A second core brings a second pair of caches and a second vector unit, but memory is shared. A kernel with 2.25
operations a byte needs 40 GB/s for 90 GFLOP/s: look in the roofline where the line of the least traffic meets the roof
of memory, and how far a kernel of 9 loads for 8 multiply-adds is from it.
"""

from __future__ import annotations

import numpy as np

from ... import checks
from ...jit import compiled, prange
from ...threads import run
from .step5_blocking import BAND
from .step6_register_tile import BYTES_PER_OPERATION, convolve_band, prepare

__all__ = ["BYTES_PER_OPERATION", "depthwise_conv2d"]


@compiled(parallel=True)
def convolve(x, window, places, weights, out):
    """out (n, out_y, out_x, c) ← x (n, y, x, c) ⋆ weights (taps, c)."""
    bands = (window.out_y + BAND - 1) // BAND
    for item in prange(len(x) * bands):
        image, band = np.int64(item) // bands, np.int64(item) % bands
        convolve_band(x, window, places, weights, out, image, band * BAND)


def depthwise_conv2d(x, weight, bias=None, stride=1, padding=0):
    """The convolution of x (n, y, x, c) with weight (filter_y, filter_x, c), channel by channel."""
    x, weight, bias, window = checks.depthwise_conv2d(x, weight, bias, stride, padding)
    places, weights, out = prepare(x, weight, window)
    run(out.size * len(weights), convolve, x, window, places, weights, out)
    out = np.ascontiguousarray(out[:, :, : window.out_x, : x.shape[3]])
    return out if bias is None else out + bias
