"""Functions of one element: each derivative is written in terms of the result where that is cheaper."""

from __future__ import annotations

import numpy as np

from tinyslim import kernels

from .operations import each, operation


@operation("x", formulas=True)
def relu(x):
    """max(x, 0). At 0 the derivative is 0, as in PyTorch.

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.relu(Tensor([-1.0, 0.0, 2.0])).data
    array([0., 0., 2.], dtype=float32)
    """
    return _clip(x, 0, np.inf)


@operation("x", formulas=True)
def relu6(x):
    """min(max(x, 0), 6): the bounded ReLU of MobileNet, kind to low-precision arithmetic (Howard et al. 2017).

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.relu6(Tensor([-1.0, 3.0, 8.0])).data
    array([0., 3., 6.], dtype=float32)
    """
    return _clip(x, 0, 6)


@operation("x", formulas=True)
def clip(x, low=None, high=None):
    """min(max(x, low), high); None for no bound. At a bound the derivative is 0, as everywhere beyond it.

    Examples
    --------
    >>> import tinyslim.functional as F
    >>> F.clip([-2.0, 0.5, 3.0], -1, 1).data.tolist()
    [-1.0, 0.5, 1.0]
    """
    return _clip(x, -np.inf if low is None else low, np.inf if high is None else high)


def _clip(x, low, high):
    """Clip an array; give the formula of a batch norm its bounds."""
    if isinstance(x, kernels.Normalized) and not x.bounded:
        clipped = x.clipped(low, high)
        return clipped, each(lambda grad: kernels.PassedGradient(grad, clipped))
    x = kernels.written(x)
    return kernels.clip(x, low, high), each(lambda grad: kernels.clip_gradient(grad, x, low, high))


@operation("x")
def sigmoid(x):
    """1 / (1 + e⁻ˣ), computed from e^−|x| so that it can't overflow.

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.sigmoid(Tensor([0.0, 1000.0])).data
    array([0.5, 1. ], dtype=float32)
    """
    small = np.exp(-np.abs(x))
    y = np.where(x >= 0, 1, small) / (1 + small)
    return y, each(lambda grad: grad * y * (1 - y))


@operation("x")
def tanh(x):
    """The hyperbolic tangent.

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.tanh(Tensor([-1000.0, 0.0])).data
    array([-1.,  0.], dtype=float32)
    """
    y = np.tanh(x)
    return y, each(lambda grad: grad * (1 - y * y))


@operation("x")
def softmax(x, axis=-1):
    """eˣ / Σ eˣ along `axis`. With y = softmax(x): ∂L/∂x = y · (g − Σ g·y).

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.softmax(Tensor([0.0, 0.0, 1000.0])).data
    array([0., 0., 1.], dtype=float32)
    """
    y = np.exp(x - x.max(axis=axis, keepdims=True))
    y /= y.sum(axis=axis, keepdims=True)
    return y, each(lambda grad: y * (grad - (grad * y).sum(axis=axis, keepdims=True)))


@operation("x")
def log_softmax(x, axis=-1):
    """x − log Σ eˣ along `axis`, without ever forming a probability that underflows to 0.

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.log_softmax(Tensor([0.0, 1000.0])).data
    array([-1000.,     0.], dtype=float32)
    """
    shifted = x - x.max(axis=axis, keepdims=True)
    y = shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
    return y, each(lambda grad: grad - np.exp(y) * grad.sum(axis=axis, keepdims=True))


def dropout(x, p: float, rng: np.random.Generator, training: bool):
    """In training set each element to 0 with probability `p` and scale the others by 1/(1−p); otherwise x itself.

    Srivastava et al. 2014, §10 (inverted dropout). The random numbers come from `rng`.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.dropout(Tensor(np.ones(6)), 0.5, np.random.default_rng(0), training=True).data
    array([2., 2., 2., 0., 0., 0.])
    """
    if not 0 <= p < 1:
        raise ValueError(f"`p` (={p!r}) must be at least 0 and below 1")
    if not training or p == 0:
        return _pass(x)
    keep = rng.random(x.shape, np.float32) >= p
    return _drop(x, mask=keep.astype(x.dtype) / x.dtype.type(1 - p))


@operation("x", name="dropout_training")
def _drop(x, mask):
    return x * mask, each(lambda grad: grad * mask)


@operation("x", name="dropout")
def _pass(x):
    """Nothing happens, but the tape learns where the layer stands."""
    return x, each(lambda grad: grad)
