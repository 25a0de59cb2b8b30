"""Pooling: a maximum passes its gradient to the winner, a mean shares it out."""

from __future__ import annotations

import numpy as np

from tinyslim import kernels

from .operations import each, operation


@operation("x")
def max_pool2d(x, size, stride=None, padding=0):
    """The largest of each `size` × `size` window; the first one wins a tie. Padding never wins.

    Parameters
    ----------
    x : Tensor
        (n, in_y, in_x, c).
    size, stride : int
        `stride` defaults to `size`.
    padding
        As in `conv2d`.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> x = Tensor(np.arange(16.0).reshape(1, 4, 4, 1))
    >>> F.max_pool2d(x, 2).data[0, :, :, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    y, argmax = kernels.max_pool2d(x, size, size if stride is None else stride, padding)
    return y, each(lambda grad: kernels.max_pool2d_gradient(grad, argmax, x.shape))


@operation("x")
def avg_pool2d(x, size, stride=None, padding=0):
    """The mean of each `size` × `size` window, zeros of the padding counted. Arguments as `max_pool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> x = Tensor(np.arange(16.0).reshape(1, 4, 4, 1))
    >>> F.avg_pool2d(x, 2).data[0, :, :, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    stride = size if stride is None else stride
    return kernels.avg_pool2d(x, size, stride, padding), each(
        lambda grad: kernels.avg_pool2d_gradient(grad, x.shape, size, stride, padding)
    )


@operation("x")
def global_avg_pool2d(x):
    """The mean over the whole image: (n, y, x, c) → (n, c).

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> x = Tensor(np.arange(16.0).reshape(1, 4, 4, 1))
    >>> F.global_avg_pool2d(x).data
    array([[7.5]])
    """
    if x.ndim != 4:
        raise ValueError(f"`x` must be (n, y, x, c), but its shape is {x.shape}")
    share = x.dtype.type(1 / max(x.shape[1] * x.shape[2], 1))
    return x.mean(axis=(1, 2)), each(lambda grad: np.broadcast_to((grad * share)[:, None, None], x.shape))
