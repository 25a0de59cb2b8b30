"""Padding, and one strided view of the images for each tap of a window: what all sliding twins are made of."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..geometry import Window


def pad(x: np.ndarray, window: Window, value: float = 0.0) -> np.ndarray:
    """(n, y, x, c) → (n, top + y + bottom, left + x + right, c), filled up with `value`."""
    sides = (0, 0), (window.top, window.bottom), (window.left, window.right), (0, 0)
    return np.pad(x, sides, constant_values=value)


def crop(padded: np.ndarray, window: Window) -> np.ndarray:
    """What `pad` was given: the images without their padding."""
    _, padded_y, padded_x, _ = padded.shape
    return padded[:, window.top : padded_y - window.bottom, window.left : padded_x - window.right]


def taps(padded: np.ndarray, window: Window) -> Iterator[tuple[int, int, np.ndarray]]:
    """For each tap: filter_y, filter_x, and the view (n, out_y, out_x, c) of what it meets at all outputs."""
    for filter_y in range(window.size_y):
        for filter_x in range(window.size_x):
            end_y = filter_y + (window.out_y - 1) * window.stride + 1
            end_x = filter_x + (window.out_x - 1) * window.stride + 1
            yield filter_y, filter_x, padded[:, filter_y : end_y : window.stride, filter_x : end_x : window.stride]
