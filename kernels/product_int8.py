"""Bytes times bytes: the integer GEMM that convolutions and linear layers are made of."""

from __future__ import annotations

import numpy as np

from . import checks_int8 as check
from .jit import COMPILED, compiled, prange
from .sizes_int8 import PANEL, ROWS, round_up
from .table import kernel
from .threads import run
from .tile_int8 import pack_panels

if COMPILED:
    from .tile_int8 import sum_tile_full, sum_tile_one
    from .vectors_int8 import address

#: Rows and panels of a block, which one thread takes: it reads A from a near cache again for each of the panels.
ROW_TILES, PANELS = 16, 4


@compiled(parallel=True)
def multiply(a, panels, table, c):
    """c (m, n) ← a (m, 4·depth) · panels: a thread owns a block of c."""
    (m, k), n = a.shape, c.shape[1]
    depth, source, weights, target, places = k // 4, address(a), address(panels), address(c), address(table)
    down, right = -(-m // (ROW_TILES * ROWS)), -(-n // (PANELS * PANEL))
    for index in prange(down * right):
        block = np.int64(index)
        start, column = block // right * ROW_TILES * ROWS, block % right * PANELS * PANEL
        end = min(start + ROW_TILES * ROWS, m)
        for left in range(column, min(column + PANELS * PANEL, n), PANEL):
            panel, out, count = weights + left * k, target + 4 * left, 4 * min(n - left, PANEL)
            for first in range(start, end, ROWS):
                arguments = (source, depth, panel, places, first, end - 1, out, count)
                if end - first > 1:
                    sum_tile_full(arguments)
                else:
                    sum_tile_one(arguments)


@kernel
def gemm_int8(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Multiply activations by weights exactly.

    Parameters
    ----------
    a : uint8 array (m, k)
    b : int8 array (k, n)

    Returns
    -------
    int32 array (m, n). It wraps beyond int32, which needs k > 65,793 (255·128·k ≥ 2^31).

    Examples
    --------
    >>> gemm_int8(np.array([[255, 1]], np.uint8), np.array([[-128, 2], [3, 4]], np.int8))
    array([[-32637,    514]], dtype=int32)
    """
    check.array("a", a, np.uint8, None, None)
    check.array("b", b, np.int8, a.shape[1], None)
    (m, k), n = a.shape, b.shape[1]
    c = np.empty((m, n), np.int32)
    if k % 4 or not a.flags.carray:
        padded = np.zeros((m, round_up(k, 4)), np.uint8)
        padded[:, :k] = a
        a = padded
    if c.size:
        table = np.arange(m)[:, None] * np.array([a.shape[1], 4 * n])
        run(m * k * n, multiply, a, pack_panels(b[None]), table, c)
    return c
