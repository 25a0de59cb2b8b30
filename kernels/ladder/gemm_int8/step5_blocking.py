"""Blocks of two rows by two columns.

A dot product loads two vectors for each multiply-add and widens both: the loads and the widening set its pace, not the
arithmetic. If two rows are multiplied by two columns at once, four vectors are loaded and widened for four
multiply-adds: one load for each instead of two. It is the idea of the register tile, in plain loops: the four sums are
local variables, which the compiler keeps in vector registers. (Four by four would load half as much again, and be
sixteen variables.)

The rows and columns of a block, k bytes each, lie in the nearest cache while they are used. Both matrices are filled
up with zeros to whole blocks, so that there is no rest to take care of.
"""

from __future__ import annotations

import numpy as np

from ... import checks_int8
from ...jit import compiled
from ..padding import pad_matrix

#: Four loads of a byte for four multiplications and additions.
BYTES_PER_OPERATION = 4 / 8


@compiled()
def dot_block(a0, a1, b0, b1):
    """The four dot products of two rows and two columns."""
    s00 = s01 = s10 = s11 = np.int32(0)
    for k in range(len(a0)):
        x0, x1, y0, y1 = np.int32(a0[k]), np.int32(a1[k]), np.int32(b0[k]), np.int32(b1[k])
        s00, s01 = np.int32(s00 + x0 * y0), np.int32(s01 + x0 * y1)
        s10, s11 = np.int32(s10 + x1 * y0), np.int32(s11 + x1 * y1)
    return s00, s01, s10, s11


@compiled()
def multiply(a, columns, out):
    """out (m, n) ← a (m, k) · columns (n, k) transposed, both in whole blocks."""
    for i in range(0, len(a), 2):
        for j in range(0, len(columns), 2):
            s00, s01, s10, s11 = dot_block(a[i], a[i + 1], columns[j], columns[j + 1])
            out[i, j], out[i, j + 1], out[i + 1, j], out[i + 1, j + 1] = s00, s01, s10, s11


def gemm_int8(a, b):
    """a (m, k) uint8 times b (k, n) int8 in int32."""
    checks_int8.array("a", a, np.uint8, None, None)
    checks_int8.array("b", b, np.int8, a.shape[1], None)
    (m, n), a, columns = (a.shape[0], b.shape[1]), pad_matrix(a, 2, 1), pad_matrix(b.T, 2, 1)
    out = np.empty((len(a), len(columns)), np.int32)
    multiply(a, columns, out)
    return np.ascontiguousarray(out[:m, :n])
