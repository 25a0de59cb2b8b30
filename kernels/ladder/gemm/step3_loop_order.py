"""The inner loop runs along rows.

The three loops may stand in any order. With j innermost, b[k, j] and out[i, j] lie side by side in memory, a cache
line gives all its 64 bytes, and a[i, k] is the same number all along. No addition waits for its neighbour: the
compiler turns sixteen of them into one instruction (AVX-512), without changing a bit of the result.

The price is that sums are no longer in a register. For each vector multiply-add the loop loads a vector of b and one
of out and stores one of out: three accesses to memory for one instruction that does arithmetic, and a core has two
ports for loads and one for stores. While a row of out and all of b fit the cache that is the limit; beyond, b is read
m times from afar: 1024 times 4 MB.
"""

from __future__ import annotations

import numpy as np

from ... import checks
from ...jit import compiled

#: A load from b, a load and a store of out, four bytes each, for a multiplication and an addition.
BYTES_PER_OPERATION = 12 / 2


@compiled()
def multiply(a, b, out):
    """out (m, n) += a (m, k) · b (k, n), a row of b at a time."""
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            factor = a[i, k]
            for j in range(b.shape[1]):
                out[i, j] += factor * b[k, j]


def gemm(a, b):
    """The matrix product (m, k) · (k, n) → (m, n)."""
    a, b = checks.gemm(a, b)
    out = np.zeros((a.shape[0], b.shape[1]), a.dtype)
    multiply(a, b, out)
    return out
