"""Two threads.

The instructions stay as they are; the blocks of rows are dealt out to the threads. A row of the result belongs to one
thread, which computes all of it in the same order as before: no sum is shared, nothing is locked, and the bits are the
same with any number of threads. (Splitting the depth instead would need a second pass that adds the parts.)

The panels of b are packed by all threads too, since otherwise one would wait while the other packs (Amdahl 1967: 5 %
left to one thread cap the gain of two at 1.9). Both then read the same panels from the cache that they share, and each
its own rows.
"""

from __future__ import annotations

import numpy as np

from ... import checks
from ...jit import compiled, prange
from ...threads import run
from ..float_tile import ROW_BYTES, ROWS
from ..padding import pad_matrix, round_up
from .step6_register_tile import BLOCK, BYTES_PER_OPERATION, multiply_block

__all__ = ["BYTES_PER_OPERATION", "gemm"]


@compiled(parallel=True)
def multiply(a, b, panels, out):
    """panels (n / columns, k, columns) ← b (k, n), then out (m, n) ← a (m, k) · panels."""
    count, depth, columns = panels.shape
    for item in prange(count):
        panel = np.int64(item)
        for k in range(depth):
            for j in range(columns):
                panels[panel, k, j] = b[k, panel * columns + j]
    for block in prange((len(a) + BLOCK - 1) // BLOCK):
        first = np.int64(block) * BLOCK
        multiply_block(a, panels, out, first, min(first + BLOCK, len(a)))


def gemm(a, b):
    """The matrix product (m, k) · (k, n) → (m, n)."""
    a, b = checks.gemm(a, b)
    m, n, columns = len(a), b.shape[1], ROW_BYTES // a.itemsize
    a, b = pad_matrix(a, ROWS, 1), pad_matrix(b, 1, columns)
    panels = np.empty((b.shape[1] // columns, len(b), columns), a.dtype)
    out = np.empty((len(a), round_up(n, columns)), a.dtype)
    run(out.size * len(b), multiply, a, b, panels, out)
    return np.ascontiguousarray(out[:m, :n])
