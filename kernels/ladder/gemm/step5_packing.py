"""The right matrix packed in the order of reading, four of its rows at a time.

A block of b is DEPTH pieces of rows that lie 4·n bytes apart: each in another page of memory, and with n a power of
two all in the same few sets of the cache. So b is copied once into panels of COLUMNS columns, in which the rows follow
one another without a gap. The copy touches k·n elements, the product reads them m times: packing costs 1/m of the
reads and makes all of them sequential. A panel is filled up with zeros, so the inner loop has a constant number of
turns and no rest.

Since four rows of a panel are neighbours now, they are added at once: a sum is loaded and stored for four
multiply-adds instead of for each. Five loads and a store for four are 1.5 accesses to memory for one instruction of
arithmetic, where there were 3.
"""

from __future__ import annotations

import numpy as np

from ... import checks
from ...jit import compiled
from ..padding import pad_matrix

#: Columns of a panel, and rows of it that are added at once.
COLUMNS, AT_ONCE = 64, 4

#: Four loads from the panel, a load and a store of out, four bytes each, for four multiplications and additions.
BYTES_PER_OPERATION = 24 / 8


@compiled()
def pack(b, columns):
    """panels (n / columns, k, columns) ← b (k, n), whose n is whole panels."""
    depth, n = b.shape
    panels = np.empty((n // columns, depth, columns), b.dtype)
    for panel in range(n // columns):
        for k in range(depth):
            panels[panel, k] = b[k, panel * columns : (panel + 1) * columns]
    return panels


@compiled(fastmath={"contract"})
def multiply(a, panels, out):
    """out (m, n) += a (m, k) · panels (n / COLUMNS, k, COLUMNS), whose k is a multiple of AT_ONCE."""
    m, depth = a.shape
    for number in range(len(panels)):
        panel = panels[number]
        for i in range(m):
            sums = out[i, number * COLUMNS : (number + 1) * COLUMNS]
            for k in range(0, depth, AT_ONCE):
                a0, a1, a2, a3 = a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3]
                b0, b1, b2, b3 = panel[k], panel[k + 1], panel[k + 2], panel[k + 3]
                for j in range(COLUMNS):
                    sums[j] += a0 * b0[j] + a1 * b1[j] + a2 * b2[j] + a3 * b3[j]


def gemm(a, b):
    """The matrix product (m, k) · (k, n) → (m, n)."""
    a, b = checks.gemm(a, b)
    m, n = len(a), b.shape[1]
    panels = pack(pad_matrix(b, AT_ONCE, COLUMNS), COLUMNS)
    out = np.zeros((m, len(panels) * COLUMNS), a.dtype)
    multiply(pad_matrix(a, 1, AT_ONCE), panels, out)
    return np.ascontiguousarray(out[:, :n])
