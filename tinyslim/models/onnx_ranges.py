"""Between which numbers a result lies: clips that change nothing are left out, and two become one."""

from __future__ import annotations

import math

import numpy as np

import tinyslim.functional as F
from tinyslim.autograd import Tensor

ACTIVATIONS = {"relu": (0.0, math.inf), "relu6": (0.0, 6.0)}
#: They give no number that lies outside of all that came in, but for the zeros of a padding.
WITHIN = {"max_pool2d", "avg_pool2d", "global_avg_pool2d", "flatten", "pad", "dropout", "mean"}


def range_of(x: Tensor) -> tuple[float, float]:
    """The bounds of a result, as far as the operations that made it tell."""
    zeros = False
    while x.op in WITHIN and x.inputs:
        zeros |= x.op == "pad" or x.op == "avg_pool2d"
        x = x.inputs[0]
    if x.op == "concat":
        low, high = map(list, zip(*(range_of(part) for part in x.inputs), strict=True))
        low, high = min(low), max(high)
    else:
        low, high = _clipped(x)
    return (min(low, 0), max(high, 0)) if zeros else (low, high)


def _clipped(x: Tensor) -> tuple[float, float]:
    """The bounds that an activation sets."""
    if x.op == "clip":
        low, high = x.attributes["low"], x.attributes["high"]
        return -math.inf if low is None else low, math.inf if high is None else high
    return {**ACTIVATIONS, "sigmoid": (0.0, 1.0)}.get(x.op, (-math.inf, math.inf))


def clip_between(x: Tensor, low: float, high: float, tolerance: float = 0.0) -> Tensor:
    """min(max(x, low), high) as simply as it can be said: not at all, as ReLU, as ReLU6, or as a clip.

    Parameters
    ----------
    x : Tensor
    low, high : float
        Infinite for no bound.
    tolerance : float
        By how much a bound may be another number.
    """
    least, most = range_of(x)
    if low <= least + tolerance and most - tolerance <= high:
        return x
    if x.op in ("relu", "relu6", "clip"):
        # One activation in the place of two: a layer takes one into its sums.
        own = _clipped(x)
        low, high = (float(np.clip(end, *own)) for end in (low, high))
        x = x.inputs[0]
    if abs(low) <= tolerance and high == math.inf:
        return F.relu(x)
    if abs(low) <= tolerance and abs(high - 6) <= tolerance:
        return F.relu6(x)
    return F.clip(x, None if low == -math.inf else low, None if high == math.inf else high)
