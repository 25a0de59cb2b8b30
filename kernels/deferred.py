"""Arrays that nobody has written yet: a formula over arrays that are there, computed when somebody asks for it.

A batch norm and the ReLU behind it are two numbers a channel and a comparison. Written out, their result would travel
to memory and back as often as a convolution's does, for a thousandth of its arithmetic. So they return the formula, and
the kernel that reads it next computes it on the way.
"""

from __future__ import annotations

import math

import numpy as np


class Deferred:
    """An array of a known shape and dtype that is computed once, when it is first asked for.

    NumPy asks by itself: ``np.asarray(deferred)``, and so does every kernel that does not know the formula.

    Attributes
    ----------
    shape, dtype
        Of the array.
    written : numpy.ndarray or None
        The array, once it has been computed.
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype):
        self.shape, self.dtype = shape, dtype
        self.written: np.ndarray | None = None

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def compute(self) -> np.ndarray:
        """The formula's value; every kind has its own."""
        raise TypeError(f"{type(self).__name__} has no `compute`")

    def array(self) -> np.ndarray:
        """The array itself."""
        if self.written is None:
            self.written = self.compute()
        return self.written

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.array(self.array(), dtype, copy=copy)


def written(value):
    """`value` itself, or the array that it stands for."""
    return value.array() if isinstance(value, Deferred) else value
