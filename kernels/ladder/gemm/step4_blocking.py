"""Blocks that stay in the cache.

The last step read all of b once for every row of a: 1024 times 4 MB, which the second cache (2 MB) cannot hold. Two
more loops now cut b into blocks of DEPTH × COLUMNS elements, 64 × 256 · 4 bytes = 64 KB, and finish all that a block
is good for before they go on. b comes from afar once, not m times, and each of its elements is then found m times in
the second cache; the piece of a row of out that is being summed, 1 KB, stays in the nearest one.

The instructions are the same as before, with one licence: `contract` lets the compiler fuse a multiplication and the
addition after it into one instruction that rounds once. It may not change the order of anything.
"""

from __future__ import annotations

import numpy as np

from ... import checks
from ...jit import compiled

#: Of a block of b.
DEPTH, COLUMNS = 64, 256

#: A load from b, a load and a store of out, four bytes each, for a multiplication and an addition.
BYTES_PER_OPERATION = 12 / 2


@compiled(fastmath={"contract"})
def multiply(a, b, out):
    """out (m, n) += a (m, k) · b (k, n), a block of b at a time."""
    depth, n = b.shape
    for first_k in range(0, depth, DEPTH):
        for first_j in range(0, n, COLUMNS):
            for i in range(a.shape[0]):
                sums = out[i, first_j : first_j + COLUMNS]
                for k in range(first_k, min(first_k + DEPTH, depth)):
                    factor, line = a[i, k], b[k, first_j : first_j + COLUMNS]
                    for j in range(len(sums)):
                        sums[j] += factor * line[j]


def gemm(a, b):
    """The matrix product (m, k) · (k, n) → (m, n)."""
    a, b = checks.gemm(a, b)
    out = np.zeros((a.shape[0], b.shape[1]), a.dtype)
    multiply(a, b, out)
    return out
