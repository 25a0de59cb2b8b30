"""Tensor: an array that remembers the operation that made it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import numpy as np

from tinyslim.kernels import Deferred, written

from .backward_pass import backward

_clock = count()


def as_float_array(data) -> np.ndarray:
    """`data` as an array: a floating dtype stays as it is, everything else becomes float32."""
    array = np.asarray(data)
    if isinstance(data, np.ndarray | np.generic) and array.dtype in (np.float32, np.float64):
        return array
    if array.dtype.kind not in "biuf":
        raise TypeError(f"`data` must hold numbers, but its dtype is {array.dtype}")
    return array.astype(np.float32)


class Tensor:
    """An array and, if it was computed, the operation that made it.

    Parameters
    ----------
    data
        An array, a number, or nested lists of numbers. float32 and float64 arrays are kept, not copied;
        integers and lists become float32.
    requires_grad
        Whether `backward` shall leave a gradient here.

    Attributes
    ----------
    data, grad
        NumPy arrays of one shape; `grad` is None until a backward pass reached this leaf.
    op, inputs, attributes
        The name of the operation, the tensors that went in (None for one left out) and its other arguments.
    born
        A running number. A tensor is always younger than its inputs, so that youngest first is a topological order.

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    array([2., 4., 6.], dtype=float32)
    """

    __slots__ = (
        "__weakref__",
        "attributes",
        "born",
        "grad",
        "inputs",
        "op",
        "pull_back",
        "requires_grad",
        "scope",
        "value",
    )
    # NumPy on the left of an operator asks our reflected method instead of looping over its own elements.
    __array_ufunc__ = None

    def __init__(self, data, requires_grad: bool = False):
        if isinstance(data, Tensor):
            data = data.value
        #: The array, or a formula that stands for it until somebody asks for the array.
        self.value: np.ndarray | Deferred = data if isinstance(data, Deferred) else as_float_array(data)
        self.grad: np.ndarray | None = None
        self.requires_grad = bool(requires_grad)
        self.op = "leaf"
        self.inputs: tuple[Tensor | None, ...] = ()
        self.attributes: dict = {}
        self.pull_back: Callable | None = None
        self.scope: tuple = ()
        self.born = next(_clock)

    @property
    def data(self) -> np.ndarray:
        self.value = written(self.value)
        return self.value

    @data.setter
    def data(self, array: np.ndarray) -> None:
        self.value = array

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def dtype(self) -> np.dtype:
        return self.value.dtype

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def size(self) -> int:
        return self.value.size

    def backward(self, grad=None) -> None:
        """Add d(self)/d(leaf), times `grad`, to the `.grad` of every leaf that requires it; see `autograd.backward`."""
        backward(self, grad)

    def detach(self) -> Tensor:
        """The same array, outside the tape."""
        return Tensor(self.value)

    def numpy(self) -> np.ndarray:
        """The array itself, not a copy."""
        return self.data

    def item(self) -> float:
        """The one number of a tensor of size 1."""
        return self.data.item()

    def __float__(self) -> float:
        return float(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        made = "" if self.op == "leaf" else f", op={self.op}"
        grad = ", requires_grad=True" if self.requires_grad else ""
        values = np.array2string(self.data, precision=4, threshold=8, separator=", ", prefix="Tensor(")
        return f"Tensor({values}, shape={self.shape}, dtype={self.dtype}{made}{grad})"

    def __add__(self, other):
        return arithmetic.add(self, other)

    def __radd__(self, other):
        return arithmetic.add(other, self)

    def __sub__(self, other):
        return arithmetic.subtract(self, other)

    def __rsub__(self, other):
        return arithmetic.subtract(other, self)

    def __mul__(self, other):
        return arithmetic.multiply(self, other)

    def __rmul__(self, other):
        return arithmetic.multiply(other, self)

    def __truediv__(self, other):
        return arithmetic.divide(self, other)

    def __rtruediv__(self, other):
        return arithmetic.divide(other, self)

    def __matmul__(self, other):
        return arithmetic.matmul(self, other)

    def __rmatmul__(self, other):
        return arithmetic.matmul(other, self)

    def __pow__(self, exponent: float):
        return arithmetic.power(self, exponent)

    def __neg__(self):
        return arithmetic.negate(self)

    def __getitem__(self, index):
        return shaping.take(self, index)

    def sum(self, axis=None, keepdims: bool = False) -> Tensor:
        """The sum over `axis`: an int, a tuple of ints, or None for all."""
        return arithmetic.sum(self, axis, keepdims)

    def mean(self, axis=None, keepdims: bool = False) -> Tensor:
        """The mean over `axis`: an int, a tuple of ints, or None for all."""
        return arithmetic.mean(self, axis, keepdims)

    def reshape(self, *shape) -> Tensor:
        """The same elements in another shape; one entry may be -1."""
        return shaping.reshape(self, shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape)

    def transpose(self, *axes: int) -> Tensor:
        """The axes in another order, by default reversed."""
        return shaping.transpose(self, axes or None)


# At the end, since these modules need the class above.
from . import arithmetic, shaping  # noqa: E402
