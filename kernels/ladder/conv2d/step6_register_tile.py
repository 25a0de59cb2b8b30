"""Sums in registers: the tile.

The block of patches is multiplied by the tile of `float_tile.py`: 8 pixels by 2 vectors of outputs are 16 sums in
registers (AVX-512), from the first tap to the last. A step of the depth loads 10 times for 16 multiply-adds and stores
nothing, where the plain loops made five loads and a store for four.

The depth of a 3 × 3 filter on 64 channels is 576: long enough that filling and storing the sums, once a tile, does not
show. For the stem's 27 (three channels) it does.
"""

from __future__ import annotations

import numpy as np

from ... import checks
from ...jit import compiled
from ..float_tile import ROW_BYTES
from ..gemm.step5_packing import pack
from ..gemm.step6_register_tile import BLOCK, BYTES_PER_OPERATION, multiply_block
from ..padding import pad_images, pad_matrix, round_up
from .step4_im2col import unfold

__all__ = ["BYTES_PER_OPERATION", "conv2d", "convolve_block"]


@compiled()
def convolve_block(padded, window, panels, out, first, pixels):
    """out[first : first + BLOCK] ← the convolution there; beyond the last of the `pixels` it is of no account."""
    patches = np.empty((BLOCK, panels.shape[1]), padded.dtype)
    unfold(padded, window, first, min(first + BLOCK, pixels), patches)
    multiply_block(patches, panels, out[first : first + BLOCK], 0, BLOCK)


@compiled()
def convolve(padded, window, panels, out, pixels):
    """out (n·out_y·out_x, cout) ← padded (n, y, x, cin) ⋆ panels (cout / columns, filter_y·filter_x·cin, columns)."""
    for first in range(0, len(out), BLOCK):
        convolve_block(padded, window, panels, out, first, pixels)


def conv2d(x, weight, bias=None, stride=1, padding=0):
    """The convolution of x (n, y, x, cin) with weight (filter_y, filter_x, cin, cout)."""
    x, weight, bias, window = checks.conv2d(x, weight, bias, stride, padding)
    cout, columns, pixels = weight.shape[3], ROW_BYTES // x.itemsize, len(x) * window.out_y * window.out_x
    panels = pack(pad_matrix(weight.reshape(-1, cout), 1, columns), columns)
    out = np.empty((round_up(pixels, BLOCK), len(panels) * columns), x.dtype)
    convolve(pad_images(x, window), window, panels, out, pixels)
    out = np.ascontiguousarray(out[:pixels, :cout]).reshape(len(x), window.out_y, window.out_x, cout)
    return out if bias is None else out + bias
