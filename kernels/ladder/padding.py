"""Filling up with zeros: the ladder's way with edges, so that no loop has to ask whether it is at one."""

from __future__ import annotations

import numpy as np


def round_up(size: int, unit: int) -> int:
    """The least multiple of `unit` that is not below `size`."""
    return -(-size // unit) * unit


def pad_matrix(matrix: np.ndarray, row_unit: int, column_unit: int) -> np.ndarray:
    """The matrix with zeros below and to the right, up to whole units; the same array where it already fits.

    Examples
    --------
    >>> pad_matrix(np.ones((1, 3)), 2, 4)
    array([[1., 1., 1., 0.],
           [0., 0., 0., 0.]])
    """
    rows, columns = matrix.shape
    padded_rows, padded_columns = round_up(rows, row_unit), round_up(columns, column_unit)
    if (padded_rows, padded_columns) == (rows, columns):
        return np.ascontiguousarray(matrix)
    padded = np.zeros((padded_rows, padded_columns), matrix.dtype)
    padded[:rows, :columns] = matrix
    return padded


def pad_images(x: np.ndarray, window, extra_right: int = 0) -> np.ndarray:
    """(n, top + y + bottom, left + x + right + extra, c): the images with the zeros that a window may meet."""
    sides = (0, 0), (window.top, window.bottom), (window.left, window.right + extra_right), (0, 0)
    return np.pad(x, sides)
