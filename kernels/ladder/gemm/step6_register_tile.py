"""Sums in registers: the tile.

The compiler did not dare to keep the sums in registers, because for all it knows `out` and the panel overlap. The tile
of `float_tile.py` keeps them there: 8 rows by 2 vectors are 16 sums (AVX-512). A step of the depth loads 2 vectors of
the panel and 8 numbers of a, and makes 16 multiply-adds: 0.6 loads for each and no store, where the last step made 2
loads and a store. The 16 sums are also 16 chains that do not wait for one another: a core that starts two
multiply-adds a cycle, each of which takes four, must have eight at work.

BLOCK rows of a are taken against all panels before the next BLOCK, so that they stay in the second cache: 64 rows · 4
KB = 256 KB. A panel of 128 KB is loaded for each block, from the second cache or the one beyond, 8 times as seldom as
rows use it.
"""

from __future__ import annotations

import numpy as np

from ... import checks
from ...jit import compiled
from ..float_tile import ROW_BYTES, ROWS, product_tile
from ..padding import pad_matrix, round_up
from .step5_packing import pack

#: Rows of a that are multiplied by all panels before the next are taken.
BLOCK = 8 * ROWS

#: A step loads ROWS numbers of four bytes and two vectors, for ROWS · two vectors of multiplications and additions.
BYTES_PER_OPERATION = (4 * ROWS + ROW_BYTES) / (2 * ROWS * ROW_BYTES / 4)


@compiled()
def multiply_block(a, panels, out, first, last):
    """out[first : last] ← a[first : last] · panels (n / columns, k, columns); rows come in whole tiles."""
    count, depth, columns = panels.shape
    left, right, result, n = a.reshape(-1), panels.reshape(-1), out.reshape(-1), out.shape[1]
    for panel in range(count):
        for row in range(first, last, ROWS):
            product_tile(
                left, row * depth, depth, right, panel * depth * columns, depth,
                result, row * n + panel * columns, n,
            )  # fmt: skip


@compiled()
def multiply(a, panels, out):
    """out (m, n) ← a (m, k) · panels."""
    for first in range(0, len(a), BLOCK):
        multiply_block(a, panels, out, first, min(first + BLOCK, len(a)))


def gemm(a, b):
    """The matrix product (m, k) · (k, n) → (m, n)."""
    a, b = checks.gemm(a, b)
    m, n, columns = len(a), b.shape[1], ROW_BYTES // a.itemsize
    a = pad_matrix(a, ROWS, 1)
    out = np.empty((len(a), round_up(n, columns)), a.dtype)
    multiply(a, pack(pad_matrix(b, 1, columns), columns), out)
    return np.ascontiguousarray(out[:m, :n])
