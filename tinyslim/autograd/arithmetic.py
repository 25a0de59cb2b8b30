"""Arithmetic with NumPy's broadcasting, sums and matrix products; each derivative beside its forward."""

from __future__ import annotations

from numbers import Number

import numpy as np

from tinyslim import kernels

from .operations import each, operation


def unbroadcast(grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum `grad` over the axes along which an array of `shape` was repeated: the transpose of broadcasting."""
    if grad.shape == shape:
        return grad
    added = grad.ndim - len(shape)
    stretched = tuple(added + axis for axis, size in enumerate(shape) if size == 1 and grad.shape[added + axis] != 1)
    return grad.sum(axis=(*range(added), *stretched), keepdims=True).reshape(shape)


@operation("a", "b")
def add(a, b):
    """a + b

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.add(Tensor([1.0, 2.0]), 10).data
    array([11., 12.], dtype=float32)
    """
    return a + b, each(lambda grad: unbroadcast(grad, a.shape), lambda grad: unbroadcast(grad, b.shape))


@operation("a", "b")
def subtract(a, b):
    """a − b

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.subtract(Tensor([1.0, 2.0]), 1).data
    array([0., 1.], dtype=float32)
    """
    return a - b, each(lambda grad: unbroadcast(grad, a.shape), lambda grad: unbroadcast(-grad, b.shape))


@operation("a", "b")
def multiply(a, b):
    """a · b

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> x = Tensor(3.0, requires_grad=True)
    >>> F.multiply(x, x).backward()
    >>> x.grad
    array(6., dtype=float32)
    """
    return a * b, each(lambda grad: unbroadcast(grad * b, a.shape), lambda grad: unbroadcast(grad * a, b.shape))


@operation("a", "b")
def divide(a, b):
    """a / b

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.divide(1, Tensor([2.0, 4.0])).data
    array([0.5 , 0.25], dtype=float32)
    """
    return a / b, each(
        lambda grad: unbroadcast(grad / b, a.shape), lambda grad: unbroadcast(-grad * a / (b * b), b.shape)
    )


@operation("x")
def negate(x):
    """−x

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.negate(Tensor([1.0, -2.0])).data
    array([-1.,  2.], dtype=float32)
    """
    return -x, each(lambda grad: -grad)


@operation("x")
def power(x, exponent):
    """x to the power of a number.

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.power(Tensor([1.0, 2.0, 3.0]), 2).data
    array([1., 4., 9.], dtype=float32)
    """
    if not isinstance(exponent, Number):
        raise TypeError(f"`exponent` (={exponent!r}) must be a number")
    return x**exponent, each(lambda grad: grad * exponent * x ** (exponent - 1))


@operation("x")
def exp(x):
    """e to the power of x.

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.exp(Tensor([0.0])).data
    array([1.], dtype=float32)
    """
    y = np.exp(x)
    return y, each(lambda grad: grad * y)


@operation("x")
def log(x):
    """The natural logarithm.

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.log(Tensor([1.0])).data
    array([0.], dtype=float32)
    """
    return np.log(x), each(lambda grad: grad / x)


def _spread(grad: np.ndarray, shape: tuple[int, ...], axis, keepdims: bool) -> np.ndarray:
    """The transpose of a sum over `axis`: the gradient, repeated along it."""
    if axis is not None and not keepdims:
        grad = np.expand_dims(grad, axis)
    return np.broadcast_to(grad, shape)


@operation("x")
def sum(x, axis=None, keepdims=False):
    """The sum over `axis`: an int, a tuple of ints, or None for all.

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.sum(Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0).data
    array([4., 6.], dtype=float32)
    """
    return x.sum(axis=axis, keepdims=keepdims), each(lambda grad: _spread(grad, x.shape, axis, keepdims))


@operation("x")
def mean(x, axis=None, keepdims=False):
    """The mean over `axis`: an int, a tuple of ints, or None for all.

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.mean(Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1).data
    array([1.5, 3.5], dtype=float32)
    """
    y = x.mean(axis=axis, keepdims=keepdims)
    share = x.dtype.type(y.size / max(x.size, 1))
    return y, each(lambda grad: _spread(grad * share, x.shape, axis, keepdims))


@operation("a", "b")
def matmul(a, b):
    """The matrix product (…, m, k) @ (…, k, n) → (…, m, n), with NumPy's broadcasting over stacks of matrices.

    From ∂L/∂C = G follow ∂L/∂A = G·Bᵀ and ∂L/∂B = Aᵀ·G.

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.matmul(Tensor([[1.0, 2.0]]), Tensor([[3.0], [4.0]])).data
    array([[11.]], dtype=float32)
    """
    if a.ndim < 2 or b.ndim < 2:
        raise ValueError(
            f"`a` and `b` must be matrices or stacks of them, but their shapes are {a.shape} and {b.shape}"
        )
    return product(a, b), each(
        lambda grad: unbroadcast(product(grad, b.swapaxes(-1, -2)), a.shape),
        lambda grad: unbroadcast(product(a.swapaxes(-1, -2), grad), b.shape),
    )


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a @ b: our own kernel for two matrices of one dtype, NumPy for stacks of small ones."""
    return kernels.gemm(a, b) if a.ndim == b.ndim == 2 and a.dtype == b.dtype else np.matmul(a, b)
