"""The inner loop runs along rows, in 32 bits.

Two changes. With j innermost, b[k, j] and out[i, j] lie side by side, so that a cache line gives all its 64 bytes and
the compiler makes vectors. And each byte is widened to 32 bits with `np.int32(…)` before it is multiplied, so that
sixteen lanes fit a register (AVX-512) and not eight.

What an instruction does is still poor: to use 16 bytes of b, the loop widens them (one instruction), multiplies in 32
bits (one that counts twice), loads 64 bytes of sums, adds, and stores 64 bytes. Bytes of b cost one each, but each
drags eight bytes of sums through the nearest cache: more traffic for an operation than before, and it is faster only
since it is done for sixteen lanes at once.
"""

from __future__ import annotations

import numpy as np

from ... import checks_int8
from ...jit import compiled

#: A byte of b, a load and a store of a sum of four bytes, for a multiplication and an addition.
BYTES_PER_OPERATION = 9 / 2


@compiled()
def multiply(a, b, out):
    """out (m, n) += a (m, k) · b (k, n), a row of b at a time."""
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            factor = np.int32(a[i, k])
            for j in range(b.shape[1]):
                out[i, j] += factor * np.int32(b[k, j])


def gemm_int8(a, b):
    """a (m, k) uint8 times b (k, n) int8 in int32."""
    checks_int8.array("a", a, np.uint8, None, None)
    checks_int8.array("b", b, np.int8, a.shape[1], None)
    out = np.zeros((a.shape[0], b.shape[1]), np.int32)
    multiply(a, b, out)
    return out
