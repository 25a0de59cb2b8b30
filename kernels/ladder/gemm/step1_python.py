"""Three loops in Python.

The textbook's definition: out[i, j] is the sum over k of a[i, k] · b[k, j]. For m = n = k = 1024 that is 2³⁰
multiply-adds, 2.1 GFLOP.

What the machine does for one of them: the interpreter fetches some ten byte codes, makes tuples of the indices, asks
NumPy for two elements, which come as new objects on the heap, multiplies and adds by looking up what `*` and `+` mean
for their types. Several hundred instructions and some hundred nanoseconds go by, in which a core could have made some
hundreds of vector multiply-adds. The caches do not matter yet: the eight bytes that the arithmetic needs are lost
among the interpreter's own.
"""

from __future__ import annotations

import numpy as np

from ... import checks

#: Two loads of four bytes for a multiplication and an addition, as if the interpreter cost nothing.
BYTES_PER_OPERATION = 8 / 2


def gemm(a, b):
    """The matrix product (m, k) · (k, n) → (m, n)."""
    a, b = checks.gemm(a, b)
    (m, depth), n = a.shape, b.shape[1]
    out = np.zeros((m, n), a.dtype)
    for i in range(m):
        for j in range(n):
            for k in range(depth):
                out[i, j] += a[i, k] * b[k, j]
    return out
