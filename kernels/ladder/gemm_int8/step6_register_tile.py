"""Sums in registers, four products an instruction: the tile.

The compiler's instruction works on 16 bits, so each byte was widened first. `vpdpbusd` takes the bytes as they are: 64
products and 64 additions in one instruction, without widening, twice the products of `vpdpwssd`. The compiler does not
find it in a loop over an unsigned and a signed byte, so the tile of `int8_tile.py` writes it down.

8 rows by 2 vectors of 16 sums (AVX-512 VNNI): a step loads two vectors of the panel, 128 bytes, and four bytes of each
row, and does 16 instructions, 2,048 operations: 0.08 bytes for an operation. So that the four bytes of a column lie
side by side in a lane, b is packed into panels of (k / 4, 32 columns, 4), once, and zeros fill depth and columns up.
"""

from __future__ import annotations

import numpy as np

from ... import checks_int8
from ...jit import compiled
from ..int8_tile import COLUMNS, DOT, GROUP, LANES, ROWS, VECTORS, dot_tile
from ..padding import pad_matrix, round_up

#: Rows of a that are multiplied by all panels before the next are taken.
BLOCK = 8 * ROWS

#: A step loads four bytes of each row and of each column, for ROWS · COLUMNS · 4 multiplications and additions.
BYTES_PER_OPERATION = GROUP * (ROWS + COLUMNS) / (2 * ROWS * COLUMNS * GROUP)


def pack(b):
    """panels (n / COLUMNS, k / 4, VECTORS, 64 bytes) ← b (k, n); in a vector's bytes come as the tile reads them."""
    depth, n = b.shape
    groups = b.reshape(depth // GROUP, GROUP, n // COLUMNS, VECTORS, LANES)  # step, t, panel, vector, lane
    order = (2, 0, 3, 4, 1) if DOT else (2, 0, 3, 1, 4)
    return np.ascontiguousarray(groups.transpose(order)).reshape(n // COLUMNS, -1)


@compiled()
def multiply_block(a, panels, out, first, last):
    """out[first : last] ← a[first : last] · panels; rows come in whole tiles."""
    count, panel_bytes = panels.shape
    depth, n = a.shape[1], out.shape[1]
    left, right, result = a.reshape(-1), panels.reshape(-1), out.reshape(-1)
    for panel in range(count):
        for row in range(first, last, ROWS):
            dot_tile(
                left, row * depth, depth, right, panel * panel_bytes, depth // GROUP,
                result, row * n + panel * COLUMNS, n,
            )  # fmt: skip


@compiled()
def multiply(a, panels, out):
    """out (m, n) ← a (m, k) · panels."""
    for first in range(0, len(a), BLOCK):
        multiply_block(a, panels, out, first, min(first + BLOCK, len(a)))


def gemm_int8(a, b):
    """a (m, k) uint8 times b (k, n) int8 in int32."""
    checks_int8.array("a", a, np.uint8, None, None)
    checks_int8.array("b", b, np.int8, a.shape[1], None)
    (m, n), a = (a.shape[0], b.shape[1]), pad_matrix(a, ROWS, GROUP)
    out = np.empty((len(a), round_up(n, COLUMNS)), np.int32)
    multiply(a, pack(pad_matrix(b, GROUP, COLUMNS)), out)
    return np.ascontiguousarray(out[:m, :n])
