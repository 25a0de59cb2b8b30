"""The integers that stand for real numbers: which grid belongs to a tensor.

r = S · (q − Z) (Jacob et al. 2018, eq. 1): a step S, and the integer Z that stands for 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: The smallest range: a tensor that is 0 everywhere must not make a step of 0, by which nothing can be divided.
SMALLEST_RANGE = 1e-6


@dataclass(frozen=True)
class Grid:
    """The real numbers S · (q − Z) for the integers q from `qmin` to `qmax`."""

    scale: float
    zero_point: int
    qmin: int
    qmax: int

    @property
    def numbers(self) -> tuple[float, int, int, int]:
        """All four, in the order in which `F.fake_quant` takes them."""
        return self.scale, self.zero_point, self.qmin, self.qmax


def activation_grid(largest: float, bits: int, non_negative: bool) -> Grid:
    """The unsigned grid for values up to `largest` in size.

    Values that can't be negative (behind a ReLU) get all 2^bits − 1 steps above 0, and Z = 0. Others get as many steps
    below 0 as above, and Z in the middle.

    Examples
    --------
    >>> from tinyslim.quant.grid import activation_grid
    >>> activation_grid(255.0, 8, non_negative=True)
    Grid(scale=1.0, zero_point=0, qmin=0, qmax=255)
    >>> activation_grid(127.0, 8, non_negative=False)
    Grid(scale=1.0, zero_point=128, qmin=0, qmax=255)
    """
    largest = max(float(largest), SMALLEST_RANGE)
    top = 2**bits - 1
    if non_negative:
        return Grid(largest / top, 0, 0, top)
    middle = 2 ** (bits - 1)
    return Grid(largest / (middle - 1), middle, 0, top)


def affine_grid(above: float, below: float, bits: int) -> Grid:
    """The unsigned grid for values from −`below` to `above`: all its steps lie where values do.

    0 must be one of its numbers, since images are padded with it: Z is rounded, and one end moves by at most half a
    step (Jacob et al. 2018, §3.1; Krishnamoorthi 2018, §2.1).

    Examples
    --------
    >>> from tinyslim.quant.grid import affine_grid
    >>> affine_grid(above=200.0, below=55.0, bits=8)
    Grid(scale=1.0, zero_point=55, qmin=0, qmax=255)
    """
    top = 2**bits - 1
    scale = max(float(above) + float(below), SMALLEST_RANGE) / top
    return Grid(scale, min(round(float(below) / scale), top), 0, top)


def weight_scales(weight: np.ndarray, bits: int, per_channel: bool) -> np.ndarray:
    """The steps of a weight's symmetric grid: one an output channel (the last axis), all equal if not `per_channel`.

    Krishnamoorthi 2018, §2.2: a filter that batch norm has made large must not cost the small ones their resolution.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import quant
    >>> quant.weight_scales(np.array([[12.7, -0.5], [1.0, 25.4]], np.float32), bits=8, per_channel=True)
    array([0.1, 0.2], dtype=float32)
    """
    axes = tuple(range(weight.ndim - 1)) if per_channel else None
    largest = np.broadcast_to(np.abs(weight).max(axis=axes), weight.shape[-1:])
    return (np.maximum(largest, SMALLEST_RANGE) / weight_limit(bits)).astype(weight.dtype)


def weight_limit(bits: int) -> int:
    """Weights are integers from −limit to limit: 127 for 8 bits. Without −128 the grid is symmetric."""
    return 2 ** (bits - 1) - 1


def integer_weights(weight: np.ndarray, scales: np.ndarray, bits: int) -> np.ndarray:
    """round(w / S) as int8: the integers that fake quantisation stands for.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import quant
    >>> weight = np.array([[12.7, -0.5], [1.0, 25.4]], np.float32)
    >>> quant.integer_weights(weight, quant.weight_scales(weight, 8, per_channel=True), bits=8)
    array([[127,  -2],
           [ 10, 127]], dtype=int8)
    """
    limit = weight_limit(bits)
    return np.clip(np.rint(weight / scales), -limit, limit).astype(np.int8)


def check_bits(**bits: int) -> None:
    """Refuse widths that no kernel of ours stores."""
    for name, value in bits.items():
        if value not in range(2, 9):
            raise ValueError(f"`{name}` (={value!r}) must be a whole number from 2 to 8")
