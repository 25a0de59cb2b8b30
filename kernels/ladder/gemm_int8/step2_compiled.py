"""The same loops, compiled.

The interpreter is gone, and a trap has opened in its place. Numba computes with integers in 64 bits unless it is told
otherwise: both bytes are widened to eight, multiplied and added as such, here in so many words, and without them if
`total += a[i, k] * b[k, j]` were written. The result is right, but eight sums fit a vector register of 64 bytes where
the bytes themselves would be 64.

Here it hardly shows, since the column of b is read with a step of n bytes anyway: one cache line for each byte that is
used, one lane of the vector unit at work. Integer additions may be reordered freely, so unlike the float's the chain of
sums could be broken; it is the scattered column that keeps the loop scalar.
"""

from __future__ import annotations

import numpy as np

from ... import checks_int8
from ...jit import compiled

#: Two loads of a byte for a multiplication and an addition; the sum stays in a register.
BYTES_PER_OPERATION = 2 / 2


@compiled()
def multiply(a, b, out):
    """out (m, n) ← a (m, k) · b (k, n), each sum at once and in 64 bits."""
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            total = 0
            for k in range(a.shape[1]):
                total += np.int64(a[i, k]) * np.int64(b[k, j])
            out[i, j] = total


def gemm_int8(a, b):
    """a (m, k) uint8 times b (k, n) int8 in int32."""
    checks_int8.array("a", a, np.uint8, None, None)
    checks_int8.array("b", b, np.int8, a.shape[1], None)
    out = np.empty((a.shape[0], b.shape[1]), np.int32)
    multiply(a, b, out)
    return out
