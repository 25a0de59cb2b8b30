"""Two threads.

The blocks of pixels are dealt out to the threads, each with a scratch of its own for its patches: a scratch that two
threads shared would be overwritten by one while the other reads it. A pixel's outputs belong to one thread, which sums
them in the same order as before, so the bits are the same with any number of threads.

The border of zeros is still put around the image by one thread, before the others start: a copy of 0.8 MB an image,
which is a few per cent of the time. The engine has no such copy.
"""

from __future__ import annotations

import numpy as np

from ... import checks
from ...jit import compiled, prange
from ...threads import run
from ..float_tile import ROW_BYTES
from ..gemm.step5_packing import pack
from ..gemm.step6_register_tile import BLOCK, BYTES_PER_OPERATION
from ..padding import pad_images, pad_matrix, round_up
from .step6_register_tile import convolve_block

__all__ = ["BYTES_PER_OPERATION", "conv2d"]


@compiled(parallel=True)
def convolve(padded, window, panels, out, pixels):
    """out (n·out_y·out_x, cout) ← padded (n, y, x, cin) ⋆ panels (cout / columns, filter_y·filter_x·cin, columns)."""
    for block in prange(len(out) // BLOCK):
        convolve_block(padded, window, panels, out, np.int64(block) * BLOCK, pixels)


def conv2d(x, weight, bias=None, stride=1, padding=0):
    """The convolution of x (n, y, x, cin) with weight (filter_y, filter_x, cin, cout)."""
    x, weight, bias, window = checks.conv2d(x, weight, bias, stride, padding)
    cout, columns, pixels = weight.shape[3], ROW_BYTES // x.itemsize, len(x) * window.out_y * window.out_x
    panels = pack(pad_matrix(weight.reshape(-1, cout), 1, columns), columns)
    out = np.empty((round_up(pixels, BLOCK), len(panels) * columns), x.dtype)
    run(out.size * panels.shape[1], convolve, pad_images(x, window), window, panels, out, pixels)
    out = np.ascontiguousarray(out[:pixels, :cout]).reshape(len(x), window.out_y, window.out_x, cout)
    return out if bias is None else out + bias
