"""The proof that an int8 op's sums fit into int32, whatever its input."""

from __future__ import annotations

import numpy as np


def check_rescaling(op) -> None:
    """Multipliers lie in [2^30, 2^31), shifts in 1 … 62, and no input can drive a sum out of int32.

    With a in 0 … 255 a channel's sum Σ (a − Z)·w + bias is largest where a is 255 under positive and 0 under negative
    weights, least the other way round. Inside int32, sum·m + fraction·m/256 + 2^(s−1) stays inside int64.
    """
    weight, bias = op.arrays["weight"], op.arrays["bias"].astype(np.int64)
    axes = tuple(range(weight.ndim - 1))
    zero_point = op.attributes["input_zero_point"]
    up, down = (bound(weight, 0).sum(axes, np.int64) for bound in (np.maximum, np.minimum))
    most, least = bias + up * (255 - zero_point) - down * zero_point, bias + down * (255 - zero_point) - up * zero_point
    if most.max() >= 2**31 or least.min() < -(2**31):
        raise ValueError(f"sums from {least.min()} to {most.max()} must fit into int32")
    if "multiplier" in op.arrays:
        multiplier, shift = op.arrays["multiplier"], op.arrays["shift"]
        if multiplier.min() < 2**30:
            raise ValueError(f"`multiplier` (={multiplier.min()}) must be at least 2^30")
        if not 1 <= shift.min() <= shift.max() <= 62:
            raise ValueError(f"`shift` (={shift.min()} … {shift.max()}) must be from 1 to 62")
        if (op.arrays["fraction"] != 0)[shift < 22].any():
            raise ValueError("`fraction` must be 0 where `shift` is below 22: a step is more than a byte's range there")


def check_mean(count: int) -> None:
    """The sum of `count` bytes fits into int32."""
    if count * 255 >= 2**31:
        raise ValueError(f"a mean of {count} bytes must be one of at most {(2**31 - 1) // 255}: its sum is an int32")
