"""Where a window stands: ONNX's strides, pads and auto_pad as our stride and four sides of padding."""

from __future__ import annotations

import numpy as np

from .onnx_layout import Padded, Sides, Value
from .onnx_reading import check_count
from .onnx_step import Step

#: Padding of one side that can be meant.
LARGEST_SIDE = 1 << 12


def stride_of(step: Step) -> int:
    """The one stride of both axes."""
    strides, dilations = step.integers("strides", [1, 1]), step.integers("dilations", [1, 1])
    if len(strides) != 2 or strides[0] != strides[1] or strides[0] < 1:
        raise ValueError(f"has `strides` (={strides}); expected two equal numbers, at least 1")
    if set(dilations) != {1}:
        raise ValueError(f"has `dilations` (={dilations}); only 1 is read")
    return strides[0]


def sides_of(step: Step, image: tuple[int, int], size: tuple[int, int], stride: int) -> Sides:
    """(top, bottom, left, right) from `pads` or `auto_pad`."""
    automatic = step.text("auto_pad", "NOTSET")
    if automatic == "VALID":
        return 0, 0, 0, 0
    if automatic == "NOTSET":
        pads = step.integers("pads", [0, 0, 0, 0])
        if len(pads) != 4 or min(pads) < 0 or max(pads) > LARGEST_SIDE:
            raise ValueError(f"has `pads` (={pads}); expected four numbers from 0 to {LARGEST_SIDE}")
        top, left, bottom, right = pads
        return top, bottom, left, right
    if automatic not in ("SAME_UPPER", "SAME_LOWER"):
        raise ValueError(f"has `auto_pad` (={automatic!r}); expected NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    found = []
    for length, k in zip(image, size, strict=True):
        total = max((-(-length // stride) - 1) * stride + k - length, 0)
        less, more = total // 2, total - total // 2
        found += [less, more] if automatic == "SAME_UPPER" else [more, less]
    return tuple(found)


def added(first: Sides, second: Sides) -> Sides:
    """The padding of one pad inside another."""
    return tuple(a + b for a, b in zip(first, second, strict=True))


def without_padding(value: Value, sides: Sides) -> tuple[Value, Sides]:
    """A padded image as the image and wider sides: for windows that count zeros around an image as they count zeros."""
    return (Value(value.source), added(sides, value.sides)) if isinstance(value, Padded) else (value, sides)


def rounded_up(step: Step, image: tuple[int, int], size: tuple[int, int], stride: int, sides: Sides) -> Sides:
    """With `ceil_mode`, more padding at the end: as much as lets a last window begin inside the image."""
    if not step.integer("ceil_mode", 0):
        return sides
    found = []
    for length, k, before, after in zip(image, size, sides[::2], sides[1::2], strict=True):
        whole = length + before + after
        last = -(-(whole - k) // stride) * stride  # where the window begins that rounding up adds
        found += [before, after + max(last + k - whole, 0) if last < length + before else after]
    return tuple(found)


def check_result(image: tuple[int, int], size: tuple[int, int], stride: int, sides: Sides, channels: int) -> None:
    """Refuse a result that is too large to be meant."""
    padded = [length + before + after for length, before, after in zip(image, sides[::2], sides[1::2], strict=True)]
    check_count("its padded input", (*padded, 1))
    check_count("its result", (*[(p - k) // stride + 1 for p, k in zip(padded, size, strict=True)], channels))


def simplest(sides: Sides) -> int | Sides:
    """Equal sides as one number."""
    return sides[0] if len(set(sides)) == 1 else sides


def pixels_seen(image: tuple[int, int], size: int, stride: int, sides: Sides) -> np.ndarray:
    """How many pixels of the image each window sees, (1, out_y, out_x, 1): its padding is not counted."""
    counts = []
    for length, before, after in zip(image, sides[::2], sides[1::2], strict=True):
        starts = np.arange(0, length + before + after - size + 1, stride) - before
        counts.append(np.minimum(starts + size, length) - np.maximum(starts, 0))
    return np.maximum(np.outer(*counts), 1)[None, :, :, None]
