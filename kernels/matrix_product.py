"""The matrix product of floats."""

from __future__ import annotations

import numpy as np

from . import checks
from .jit import compiled, prange
from .panels import multiply, pack, padded
from .table import kernel

BLOCK = 64


def steps(matrix: np.ndarray) -> tuple[np.ndarray, int, int]:
    """The elements of a matrix in memory's order, and how far apart its rows and its columns are."""
    if matrix.T.flags.carray and not matrix.flags.carray:
        return matrix.T.reshape(-1), 1, matrix.shape[0]
    return np.require(matrix, requirements=["C", "A", "W"]).reshape(-1), matrix.shape[1], 1


@compiled(parallel=True)
def multiply_blocks(a, row_step, depth, panels, start, out, rows, out_rows):
    """out (m, n) ← a (m, k) · packed (k, n), a block of rows at a time."""
    m, n = out.shape
    block = len(rows)
    flat = out.reshape(-1)
    for item in prange((m + block - 1) // block):
        first = np.int64(item) * block
        multiply(
            a, first * row_step, rows, min(block, m - first), depth, panels, start, 0, flat, first * n, out_rows, n
        )


@kernel
def gemm(a, b):
    a, a_row, a_column = steps(a)
    b, b_row, b_column = steps(b)
    m, k, n = len(a) // a_column if a_row == 1 else 0, 0, 0
