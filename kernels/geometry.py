"""The geometry of sliding windows, for every kernel and its twin: where a filter stands, and how often it fits."""

from __future__ import annotations

import operator
from typing import NamedTuple


def whole(name: str, value, least: int) -> int:
    """`value` as an int that is at least `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"`{name}` (={value!r}) must be an int") from None
    if number < least:
        raise ValueError(f"`{name}` (={number}) must be at least {least}")
    return number


class Window(NamedTuple):
    """A window of `size_y` × `size_x` that steps by `stride` over images padded by `top`, `bottom`, `left`, `right`."""

    size_y: int
    size_x: int
    stride: int
    top: int
    bottom: int
    left: int
    right: int
    out_y: int
    out_x: int


def padding_sides(padding, size: tuple[int, int], stride: int, image: tuple[int, int]) -> tuple[int, int, int, int]:
    """`padding` as (top, bottom, left, right): from an int, four ints, or "same" as TensorFlow counts it.

    "same" gives ⌈image / stride⌉ outputs; an odd row or column of padding goes to the bottom and the right.
    """
    if isinstance(padding, str):
        if padding != "same":
            raise ValueError(f'`padding` (={padding!r}) must be an int, (top, bottom, left, right) or "same"')
        y, x = (max((-(-length // stride) - 1) * stride + k - length, 0) for k, length in zip(size, image, strict=True))
        return y // 2, y - y // 2, x // 2, x - x // 2
    if isinstance(padding, (tuple, list)):
        if len(padding) != 4:
            raise ValueError(f'`padding` (={padding!r}) must be an int, (top, bottom, left, right) or "same"')
        top, bottom, left, right = (whole("padding", side, 0) for side in padding)
        return top, bottom, left, right
    return (whole("padding", padding, 0),) * 4


def window(input_shape: tuple[int, ...], size, stride: int, padding) -> Window:
    """The geometry of a window of `size`, an int or (height, width), on images of `input_shape` (n, y, x, c).

    Examples
    --------
    >>> window((1, 28, 28, 3), size=3, stride=2, padding="same")
    Window(size_y=3, size_x=3, stride=2, top=0, bottom=1, left=0, right=1, out_y=14, out_x=14)
    """
    size_y, size_x = (whole("size", side, 1) for side in (size if isinstance(size, (tuple, list)) else (size, size)))
    stride = whole("stride", stride, 1)
    _, in_y, in_x, _ = input_shape
    sides = top, bottom, left, right = padding_sides(padding, (size_y, size_x), stride, (in_y, in_x))
    padded_y, padded_x = in_y + top + bottom, in_x + left + right
    if padded_y < size_y or padded_x < size_x:
        raise ValueError(
            f"a window of {size_y}×{size_x} does not fit an image of {in_y}×{in_x} with `padding` (={padding!r}): "
            f"padded it has {padded_y}×{padded_x}"
        )
    return Window(size_y, size_x, stride, *sides, (padded_y - size_y) // stride + 1, (padded_x - size_x) // stride + 1)
