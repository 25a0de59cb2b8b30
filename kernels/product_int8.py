"""Bytes times bytes: the integer GEMM that convolutions and linear layers are made of."""

from __future__ import annotations

import numpy as np

from . import checks_int8 as check
from .jit import COMPILED, compiled, prange
from .sizes_int8 import PANEL, ROWS, round_up
from .table import kernel
from .threads import run
from .tile_int8 import STEP, SUM_ORDER, pack_panels

if COMPILED:
    from .tile_int8 import sum_tile_full, sum_tile_one
    from .vectors_int8 import address

#: Rows that a thread takes at once, so that a panel of B is read again from the nearest cache.
BLOCK = 16 * ROWS


@compiled(parallel=True)
def multiply(a, panels, table, c):
    """c (m, n) ← a (m, 4·depth) · panels: a thread owns a block of rows."""
    (m, k), n = a.shape, c.shape[1]
    depth, source, weights, target, places = k // 4, address(a), address(panels), address(c), address(table)
    for block in prange((m + BLOCK - 1) // BLOCK):
        start = np.int64(block) * BLOCK
        end = min(start + BLOCK, m)
        for panel in range((n + PANEL - 1) // PANEL):
            column, out = weights + panel * depth * STEP, target + panel * 4 * PANEL
            count = 4 * min(n - panel * PANEL, PANEL)
            for first in range(start, end, ROWS):
                if end - first > 1:
                    sum_tile_full((source, depth, column, places, first, end - 1, out, count))
                else:
                    sum_tile_one((source, depth, column, places, first, end - 1, out, count))


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
        run(m * k * n, multiply, a, pack_panels(b[None], SUM_ORDER), table, c)
    return c
