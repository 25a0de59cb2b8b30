"""What the int8 kernels and their twins demand of their arguments; each error names the argument and its value."""

from __future__ import annotations

import numpy as np


def array(name: str, value, dtype, *shape: int | None) -> np.ndarray:
    """`value`, if it is an array of this dtype and shape, where None stands for any size."""
    dtype = np.dtype(dtype)
    if not isinstance(value, np.ndarray) or value.dtype != dtype:
        found = value.dtype if isinstance(value, np.ndarray) else type(value).__name__
        raise TypeError(f"`{name}` (={found}) must be an array of {dtype}")
    matches = len(value.shape) == len(shape) and all(
        want in (None, size) for want, size in zip(shape, value.shape, strict=True)
    )
    if not matches:
        expected = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"`{name}` (shape {value.shape}) must have the shape ({expected})")
    return value


def integer(name: str, value, low: int, high: int) -> int:
    """`value` as an int, if it is one from `low` to `high`."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"`{name}` (={value!r}) must be an integer")
    if not low <= value <= high:
        raise ValueError(f"`{name}` (={value}) must be from {low} to {high}")
    return int(value)


def byte_range(zero_point: int, low: int, high: int, **others: int) -> None:
    """Refuse zero points and bounds that are no unsigned bytes."""
    for name, value in {"zero_point": zero_point, "low": low, "high": high, **others}.items():
        integer(name, value, 0, 255)
    if low > high:
        raise ValueError(f"`low` (={low}) must not exceed `high` (={high})")


def rescaling(multiplier: np.ndarray, shift: np.ndarray, channels: int) -> None:
    """Refuse multipliers below 0 and shifts outside 1 … 62, one of each a channel."""
    array("multiplier", multiplier, np.int32, channels)
    array("shift", shift, np.int8, channels)
    if channels and multiplier.min() < 0:
        raise ValueError(f"`multiplier` (={multiplier.min()}) must not be negative")
    if channels and not 1 <= shift.min() <= shift.max() <= 62:
        raise ValueError(f"`shift` (={shift.min()} … {shift.max()}) must be from 1 to 62")


def fraction(value: np.ndarray | None, multiplier: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """256ths of a step as an int8 array, 0 by default; there are none where one step is more than a byte's range."""
    if value is None:
        return np.zeros(len(shift), np.int8)
    array("fraction", value, np.int8, len(shift))
    steep = multiplier.astype(np.int64) >> np.minimum(shift.astype(np.int64) + 9, 63) > 0
    if (steep & (value != 0)).any():
        channel = int(np.flatnonzero(steep & (value != 0))[0])
        raise ValueError(
            f"`fraction[{channel}]` (={value[channel]}) must be 0: multiplier·2^−shift is 512 or more there"
        )
    return value


def scale(name: str, value: float) -> np.float32:
    """`value` as float32, if it is positive and finite there."""
    number = np.float32(value)
    if not 0 < number < np.inf:
        raise ValueError(f"`{name}` (={value}) must be positive and finite")
    return number


def convolution(x, weight, bias, multiplier, shift, zero_points: dict[str, int], inputs: int | None):
    """Check the arrays that the int8 convolutions share; `inputs` is the channels that the weight expects of x."""
    array("x", x, np.uint8, None, None, None, inputs)
    if 0 in weight.shape:
        raise ValueError(f"`weight` (shape {weight.shape}) must not be empty")
    channels = weight.shape[-1]
    array("bias", bias, np.int32, channels)
    rescaling(multiplier, shift, channels)
    byte_range(**zero_points)


def addition(m1: int, m2: int, shift: int) -> None:
    """Refuse multipliers below 0 or beyond int32 and a shift outside 1 … 62."""
    integer("multiplier", m1, 0, 2**31 - 1)
    integer("multiplier", m2, 0, 2**31 - 1)
    integer("shift", shift, 1, 62)
