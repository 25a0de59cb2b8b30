"""ONNX's layout and ours: (n, c, h, w) becomes (n, h, w, c) once, when a file comes in.

An image changes the order of its axes. A vector that was flattened from an image has its features in another order,
(c, h, w) against (h, w, c): it carries that order along until a layer takes it, whose rows are then sorted by it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

import tinyslim.functional as F
from tinyslim.autograd import Tensor

Sides = tuple[int, int, int, int]

#: Where each of the axes (n, c, h, w) stands in (n, h, w, c); the channels count from behind, as our operations do.
OUR_AXIS = (0, -1, 1, 2)


class Value:
    """A result in our layout.

    Attributes
    ----------
    tensor : Tensor
        (n, h, w, c) or (n, features).
    order : int array or None
        Of a vector: which of our features each of ONNX's is; None where both orders are one.
    """

    order: np.ndarray | None = None
    tensor: Tensor

    def __init__(self, tensor: Tensor, order: np.ndarray | None = None):
        self.tensor, self.order = tensor, order

    @property
    def is_image(self) -> bool:
        return self.tensor.ndim == 4

    @property
    def image(self) -> tuple[int, int]:
        """(h, w)."""
        self.check_image()
        return self.tensor.shape[1:3]

    @property
    def channels(self) -> int:
        return self.tensor.shape[-1]

    def check_image(self) -> None:
        """Refuse a vector."""
        if not self.is_image:
            raise ValueError(f"takes a vector of {self.channels} features; expected an image (n, c, h, w)")

    def flattened(self) -> Value:
        """As a vector, with the order that ONNX would have put its features in."""
        if not self.is_image:
            return self
        _, height, width, channels = self.tensor.shape
        order = np.arange(height * width * channels).reshape(height, width, channels).transpose(2, 0, 1).reshape(-1)
        return Value(F.flatten(self.tensor), None if height * width == 1 or channels == 1 else order)

    def in_onnx_order(self) -> Value:
        """A vector with its features moved to where ONNX has them."""
        return self if self.order is None else Value(F.take(self.tensor, (slice(None), self.order)))

    def rows(self, array: np.ndarray) -> np.ndarray:
        """An array whose first axis counts the features of this vector as ONNX does, sorted as ours."""
        return array if self.order is None else array[np.argsort(self.order)]


class Padded(Value):
    """An image with zeros around it, which a convolution can add itself."""

    def __init__(self, source: Tensor, sides: Sides):
        self.source, self.sides = source, sides

    @cached_property
    def tensor(self) -> Tensor:
        return F.pad(self.source, self.sides)


class Pooled(Value):
    """The mean of each channel: an image of one pixel to ONNX, and a vector to us if nobody wants the pixel.

    Parameters
    ----------
    source : Tensor
        (n, h, w, c).
    finish : callable
        What is done to the means.
    """

    def __init__(self, source: Tensor, finish: Callable[[Tensor], Tensor] = lambda mean: mean):
        self.source, self.finish = source, finish

    @cached_property
    def tensor(self) -> Tensor:
        _, height, width, _ = self.source.shape
        square = height == width  # such a pooling can run on integers
        return self.finish(F.avg_pool2d(self.source, height) if square else F.mean(self.source, (1, 2), True))

    @cached_property
    def _vector(self) -> Value:
        return Value(self.finish(F.global_avg_pool2d(self.source)))

    def flattened(self) -> Value:
        return self._vector


def our_axis(value: Value, axis: int) -> int:
    """An axis of ONNX's in our layout; the batch is refused."""
    rank = value.tensor.ndim
    if not -rank <= axis < rank or axis % rank == 0:
        raise ValueError(f"has `axis` (={axis}); expected one of the {rank} but the batch")
    return OUR_AXIS[axis % rank] if value.is_image else axis % rank


def spread(array: np.ndarray, value: Value) -> np.ndarray:
    """An array that ONNX would broadcast against `value`, in our layout."""
    rank = value.tensor.ndim
    if array.ndim > rank:
        raise ValueError(f"takes an array of the shape {array.shape}, expected at most {rank} axes")
    whole = array.reshape((1,) * (rank - array.ndim) + array.shape)
    if whole.shape[0] != 1:
        raise ValueError(f"takes an array of the shape {array.shape}, which has numbers for each image of a batch")
    return whole.transpose(0, 2, 3, 1) if rank == 4 else value.rows(whole.T).T


def filters(weight: np.ndarray) -> np.ndarray:
    """(cout, cin, kh, kw) → (kh, kw, cin, cout)."""
    return weight.transpose(2, 3, 1, 0)
