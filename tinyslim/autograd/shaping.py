"""Operations that move elements and compute nothing: their derivative moves the gradient back."""

from __future__ import annotations

import numpy as np

from tinyslim.kernels.geometry import padding_sides

from .operations import OPERATIONS, as_tensors, each, operation, remember


@operation("x")
def reshape(x, shape):
    """The same elements in another shape; one entry may be -1, and a 0 in front keeps the batch axis.

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.reshape(Tensor([1.0, 2.0, 3.0, 4.0]), (2, -1)).data
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """
    if isinstance(shape, tuple) and shape[:1] == (0,):
        shape = (len(x), *shape[1:])
    return x.reshape(shape), each(lambda grad: grad.reshape(x.shape))


@operation("x")
def transpose(x, axes=None):
    """The axes in another order, by default reversed.

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.transpose(Tensor([[1.0, 2.0]])).data
    array([[1.],
           [2.]], dtype=float32)
    """
    return x.transpose(axes), each(lambda grad: grad.transpose(None if axes is None else np.argsort(axes)))


@operation("x")
def flatten(x):
    """(n, …) → (n, everything else).

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.flatten(Tensor(np.zeros((2, 3, 3, 4)))).shape
    (2, 36)
    """
    if x.ndim < 1:
        raise ValueError("`x` must have a batch axis to keep, but it is a single number")
    return x.reshape(len(x), int(np.prod(x.shape[1:]))), each(lambda grad: grad.reshape(x.shape))


@operation("x")
def pad(x, padding):
    """Zeros around each image: (n, y, x, c) → (n, top + y + bottom, left + x + right, c).

    Parameters
    ----------
    x : Tensor
    padding
        An int, or ``(top, bottom, left, right)``.

    Examples
    --------
    >>> import numpy as np
    >>> import tinyslim.functional as F
    >>> F.pad(np.ones((1, 2, 2, 3)), (0, 1, 2, 0)).shape
    (1, 3, 4, 3)
    """
    if x.ndim != 4:
        raise ValueError(f"`x` must be (n, y, x, c), but its shape is {x.shape}")
    top, bottom, left, right = padding_sides(padding, (1, 1), 1, x.shape[1:3])
    inner = slice(None), slice(top, top + x.shape[1]), slice(left, left + x.shape[2])
    y = np.zeros((len(x), top + x.shape[1] + bottom, left + x.shape[2] + right, x.shape[3]), x.dtype)
    y[inner] = x
    return y, each(lambda grad: grad[inner])


@operation("x")
def take(x, index):
    """x[index] with NumPy's indexing; an element taken twice gets both gradients.

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.take(Tensor([1.0, 2.0, 3.0]), [2, 0]).data
    array([3., 1.], dtype=float32)
    """

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

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.concat([Tensor(np.zeros((1, 2, 2, 3))), Tensor(np.ones((1, 2, 2, 5)))]).shape
    (1, 2, 2, 8)
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
