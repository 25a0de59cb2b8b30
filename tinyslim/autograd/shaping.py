"""Operations that move elements and compute nothing: their derivative moves the gradient back."""

from __future__ import annotations

import numpy as np

from .operations import OPERATIONS, as_tensors, each, operation, remember


@operation("x")
def reshape(x, shape):
    """The same elements in another shape; one entry may be -1, and a 0 in front keeps the batch axis."""
    if isinstance(shape, tuple) and shape[:1] == (0,):
        shape = (len(x), *shape[1:])
    return x.reshape(shape), each(lambda grad: grad.reshape(x.shape))


@operation("x")
def transpose(x, axes=None):
    """The axes in another order, by default reversed."""
    return x.transpose(axes), each(lambda grad: grad.transpose(None if axes is None else np.argsort(axes)))


@operation("x")
def flatten(x):
    """(n, …) → (n, everything else)."""
    if x.ndim < 1:
        raise ValueError("`x` must have a batch axis to keep, but it is a single number")
    return x.reshape(len(x), int(np.prod(x.shape[1:]))), each(lambda grad: grad.reshape(x.shape))


@operation("x")
def take(x, index):
    """x[index] with NumPy's indexing; an element taken twice gets both gradients."""

    def scatter(grad):
        whole = np.zeros_like(x)
        np.add.at(whole, index, grad)
        return whole

    return x[index], each(scatter)


def concat(xs, axis=-1):
    """Join tensors along `axis`, by default the channels.

    Parameters
    ----------
    xs : sequence of Tensor
        All of one shape but for `axis`.
    axis : int
    """
    return _concat(*xs, axis=axis)


def _concat(*xs, axis):
    inputs = as_tensors(list(xs))
    if not inputs:
        raise ValueError("`xs` (=[]) must hold at least one tensor")
    ends = np.cumsum([tensor.shape[axis] for tensor in inputs])[:-1]

    def pull_back(grad, wanted):
        return tuple(np.split(grad, ends, axis))

    result = np.concatenate([tensor.data for tensor in inputs], axis)
    return remember("concat", inputs, {"axis": axis}, result, pull_back)


# The one operation of any number of tensors, so it enters the table by hand.
OPERATIONS["concat"] = _concat
