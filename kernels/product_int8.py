"""Bytes times bytes: the integer GEMM that convolutions and linear layers are made of."""

from __future__ import annotations

import numpy as np

from . import checks_int8 as check
from .jit import compiled, prange
from .sizes_int8 import PANEL, ROWS, round_up
from .table import kernel
from .tile_int8 import dot_tile, pack_panels

#: Rows that a thread takes at once, so that a panel of B is read again from the nearest cache.
BLOCK = 16 * ROWS


@compiled(parallel=True)
def multiply(a, panels, c):
    """c (m, n) ← a (m, 4·depth) · panels: a thread owns a block of rows."""
    m, k = a.shape
    n, depth = c.shape[1], k // 4
    panel = 4 * depth * PANEL
    flat = a.reshape(m * k)
    for block in prange((m + BLOCK - 1) // BLOCK):
        start, end = np.int64(block) * BLOCK, min(np.int64(block) * BLOCK + BLOCK, m)
        sums, offsets = np.empty(ROWS * 2 * PANEL, np.int32), np.empty(ROWS, np.int64)
        for column in range(0, n, 2 * PANEL):
            width = min(n - column, 2 * PANEL)
            at, count = (column // PANEL) * panel, (width + PANEL - 1) // PANEL
            for first in range(start, end, ROWS):
                for row in range(ROWS):
                    offsets[row] = min(first + row, end - 1) * k
                dot_tile(flat, offsets, 1, 0, depth, panels, at, panel, count, sums)
                for row in range(min(ROWS, end - first)):
                    for j in range(width):
                        c[first + row, column + j] = sums[row * 2 * PANEL + j]


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
        multiply(a, pack_panels(b[None]), c)
    return c
