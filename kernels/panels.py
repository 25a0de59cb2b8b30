"""Matrices as the register tile wants them: the right side packed into panels, and loops over tiles and panels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .jit import COMPILED, compiled, prange
from .threads import run

if COMPILED:
    from .moves import copy_panel, misaligned, panel_width, transpose
    from .register_tile import ROWS, VECTOR_BYTES, bounded_narrow, bounded_wide, product_narrow, product_wide


class Matrix(NamedTuple):
    """A matrix as it lies in memory: element (k, j) at data[k·row_step + j·column_step]."""

    data: np.ndarray
    rows: int
    columns: int
    row_step: int
    column_step: int

    @classmethod
    def of(cls, matrix: np.ndarray) -> Matrix:
        """Of a C-contiguous matrix, or of the transpose of one without a copy."""
        rows, columns = matrix.shape
        if matrix.T.flags.carray and not matrix.flags.carray:
            return cls(matrix.T.reshape(-1), rows, columns, 1, rows)
        return cls(np.ascontiguousarray(matrix).reshape(-1), rows, columns, columns, 1)


def width(dtype) -> int:
    """Columns of a panel: two vectors."""
    return 2 * VECTOR_BYTES // np.dtype(dtype).itemsize


def padded(vector: np.ndarray | None, length: int, dtype) -> np.ndarray:
    """`vector`, or zeros for None, filled up with zeros to whole panels of columns."""
    columns = width(dtype)
    filled = np.zeros(-(-length // columns) * columns, dtype)
    if vector is not None:
        filled[:length] = vector
    return filled


@compiled()
def scratch(size, array):
    """A flat array of `size` elements of the array's dtype that begins where a vector does.

    Loads of whole vectors then never touch two lines of the cache.
    """
    memory = np.empty(size + panel_width(array), array.dtype)
    start = misaligned(memory)
    return memory[start : start + size]


@compiled()
def pack_panel(matrix, row_step, column_step, at, depth, columns, panels, panel_at):
    """panel (depth, width) ← the matrix's (depth, columns) at `at`; what fills up the width is of no account.

    Of the matrix either the rows or the columns are contiguous: one of its steps is 1.
    """
    wide = panel_width(panels)
    if column_step == 1:
        for k in range(depth):
            copy_panel(matrix, at + k * row_step, columns, panels, panel_at + k * wide)
        return
    lanes = wide // 2
    rows_in_blocks, columns_in_blocks = depth - depth % lanes, columns - columns % lanes
    for j in range(0, columns_in_blocks, lanes):
        for k in range(0, rows_in_blocks, lanes):
            transpose(matrix, at + j * column_step + k, column_step, panels, panel_at + k * wide + j, wide)
    for j in range(wide):
        source = at + j * column_step
        for k in range(rows_in_blocks if j < columns_in_blocks else 0, depth):
            panels[panel_at + k * wide + j] = matrix[source + k] if j < columns else 0


@compiled(parallel=True)
def pack_all(matrix, row_step, column_step, depth, columns, panels):
    """panels (columns / width, depth, width) ← (depth, columns)."""
    wide = panel_width(panels)
    for index in prange((columns + wide - 1) // wide):
        panel = np.int64(index)
        first = panel * wide
        pack_panel(
            matrix, row_step, column_step, first * column_step, depth, min(wide, columns - first),
            panels, panel * depth * wide,
        )  # fmt: skip


def pack(matrix: Matrix) -> np.ndarray:
    """The panels of a matrix."""
    panels = np.empty(padded(None, matrix.columns, matrix.data.dtype).size * matrix.rows, matrix.data.dtype)
    run(panels.size, pack_all, matrix.data, matrix.row_step, matrix.column_step, matrix.rows, matrix.columns, panels)
    return panels


@compiled()
def multiply(left, left_at, rows, count, depth, right, start, start_at, start_step, out, out_at, out_rows, columns):
    """(count, columns) ← (count, depth) · packed (depth, columns), tile by tile, as `register_tile.tile` names them."""
    wide = panel_width(out)
    steps = depth[0] * depth[2]
    for column in range(0, columns, wide):
        rest = columns - column
        for row in range(0, count, ROWS):
            tile_rows = min(ROWS, count - row)
            if 2 * rest > wide:
                product_wide(
                    left, left_at, rows, row, tile_rows, depth, right, column * steps, wide, start,
                    start_at + column + row * start_step, start_step, out, out_at + column, out_rows, rest,
                )  # fmt: skip
            else:
                product_narrow(
                    left, left_at, rows, row, tile_rows, depth, right, column * steps, wide, start,
                    start_at + column + row * start_step, start_step, out, out_at + column, out_rows, rest,
                )  # fmt: skip


@compiled()
def multiply_between(
    left, left_at, rows, count, depth, right, start, start_at, start_step, out, out_at, out_rows, columns, low, high
):
    """(count, columns) ← (count, depth) · packed (depth, columns), tile by tile, as `register_tile.tile` names them.

    The products are held between `low` and `high`, and packed columns are fetched ahead of their turn: for weights that
    are not in the cache.
    """
    wide = panel_width(out)
    steps = depth[0] * depth[2]
    for column in range(0, columns, wide):
        rest = columns - column
        for row in range(0, count, ROWS):
            tile_rows = min(ROWS, count - row)
            if 2 * rest > wide:
                bounded_wide(
                    left, left_at, rows, row, tile_rows, depth, right, column * steps, wide, start,
                    start_at + column + row * start_step, start_step, out, out_at + column, out_rows, rest, low, high,
                )  # fmt: skip
            else:
                bounded_narrow(
                    left, left_at, rows, row, tile_rows, depth, right, column * steps, wide, start,
                    start_at + column + row * start_step, start_step, out, out_at + column, out_rows, rest, low, high,
                )  # fmt: skip
