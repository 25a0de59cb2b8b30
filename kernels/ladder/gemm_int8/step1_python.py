"""Three loops in Python.

The same three loops as for floats: out[i, j] is the sum over k of a[i, k] · b[k, j], a an unsigned byte (an
activation), b a signed one (a weight), the sum a number of 32 bits. An operation here is a multiplication or an
addition of integers.

Each element is turned into Python's own unbounded int first. NumPy's bytes would wrap around at the first product:
uint8(200) · uint8(2) is 144. In the interpreter a byte costs as much as a float, so quantising a model makes it no
faster here; that is what the following steps are for.
"""

from __future__ import annotations

import numpy as np

from ... import checks_int8

#: Two loads of a byte for a multiplication and an addition, as if the interpreter cost nothing.
BYTES_PER_OPERATION = 2 / 2


def gemm_int8(a, b):
    """a (m, k) uint8 times b (k, n) int8 in int32."""
    checks_int8.array("a", a, np.uint8, None, None)
    checks_int8.array("b", b, np.int8, a.shape[1], None)
    out = np.zeros((a.shape[0], b.shape[1]), np.int32)
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            total = 0
            for k in range(a.shape[1]):
                total += int(a[i, k]) * int(b[k, j])
            out[i, j] = total
    return out
