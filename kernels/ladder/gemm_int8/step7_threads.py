"""Two threads.

Blocks of rows are dealt out to the threads; a row of the result belongs to one of them. With integers the order of the
sums would not even matter: any split gives the same bits.

The weights are packed by one thread, before the others start. For floats that would have shown; here b is a quarter as
large, and a model packs its weights once, when it is loaded, not with each call. (The share of the peak in the table
counts the packing.)
"""

from __future__ import annotations

import numpy as np

from ... import checks_int8
from ...jit import compiled, prange
from ...threads import run
from ..int8_tile import COLUMNS, GROUP, ROWS
from ..padding import pad_matrix, round_up
from .step6_register_tile import BLOCK, BYTES_PER_OPERATION, multiply_block, pack

__all__ = ["BYTES_PER_OPERATION", "gemm_int8"]


@compiled(parallel=True)
def multiply(a, panels, out):
    """out (m, n) ← a (m, k) · panels, a thread owns a block of rows."""
    for block in prange((len(a) + BLOCK - 1) // BLOCK):
        first = np.int64(block) * BLOCK
        multiply_block(a, panels, out, first, min(first + BLOCK, len(a)))


def gemm_int8(a, b):
    """a (m, k) uint8 times b (k, n) int8 in int32."""
    checks_int8.array("a", a, np.uint8, None, None)
    checks_int8.array("b", b, np.int8, a.shape[1], None)
    (m, n), a = (a.shape[0], b.shape[1]), pad_matrix(a, ROWS, GROUP)
    out = np.empty((len(a), round_up(n, COLUMNS)), np.int32)
    run(out.size * a.shape[1], multiply, a, pack(pad_matrix(b, GROUP, COLUMNS)), out)
    return np.ascontiguousarray(out[:m, :n])
