"""A block of patches that stays in the cache.

Nobody needs the whole matrix of patches at one time. PIXELS output pixels are unfolded into a scratch of 64 · 576 · 4
bytes = 147 KB, multiplied by the filter, and the scratch is used again for the next ones. It never leaves the second
cache: main memory gives the image once and takes the output once, and the nine-fold copy is between caches.

The instructions are those of the step before. What has changed is only where the numbers are found that they ask for.
"""

from __future__ import annotations

import numpy as np

from ... import checks
from ...jit import compiled
from ..gemm.step5_packing import AT_ONCE, BYTES_PER_OPERATION, COLUMNS, multiply, pack
from ..padding import pad_images, pad_matrix
from .step4_im2col import unfold

__all__ = ["BYTES_PER_OPERATION", "conv2d"]

#: Output pixels whose patches are unfolded at once.
PIXELS = 64


@compiled()
def convolve(padded, window, panels, out):
    """out (n·out_y·out_x, cout) += padded (n, y, x, cin) ⋆ panels (cout / COLUMNS, filter_y·filter_x·cin, COLUMNS)."""
    patches = np.zeros((PIXELS, panels.shape[1]), padded.dtype)
    for first in range(0, len(out), PIXELS):
        last = min(first + PIXELS, len(out))
        unfold(padded, window, first, last, patches)
        multiply(patches[: last - first], panels, out[first:last])


def conv2d(x, weight, bias=None, stride=1, padding=0):
    """The convolution of x (n, y, x, cin) with weight (filter_y, filter_x, cin, cout)."""
    x, weight, bias, window = checks.conv2d(x, weight, bias, stride, padding)
    cout = weight.shape[3]
    panels = pack(pad_matrix(weight.reshape(-1, cout), AT_ONCE, COLUMNS), COLUMNS)
    out = np.zeros((len(x) * window.out_y * window.out_x, len(panels) * COLUMNS), x.dtype)
    convolve(pad_images(x, window), window, panels, out)
    out = np.ascontiguousarray(out[:, :cout]).reshape(len(x), window.out_y, window.out_x, cout)
    return out if bias is None else out + bias
