"""The backward pass: it visits every operation once, youngest first, and adds up. It knows no operation by name."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np

from tinyslim.kernels import buffers, written

if TYPE_CHECKING:
    from .tensor import Tensor


class Gradients:
    """Gradients that have arrived so far, for tensors that are still to be visited."""

    def __init__(self):
        self._arrived: dict[Tensor, np.ndarray] = {}
        self._summed: set[Tensor] = set()
        self._queue: list[tuple[int, int, Tensor]] = []

    def __bool__(self) -> bool:
        return bool(self._queue)

    def add(self, tensor: Tensor, part: np.ndarray) -> None:
        """Add one use's share to the gradient of `tensor`."""
        if tensor not in self._arrived:
            self._arrived[tensor] = part
            # A deep copy of a parameter is as old as the parameter; the id decides then, since tensors have no order.
            heapq.heappush(self._queue, (-tensor.born, id(tensor), tensor))
        elif tensor in self._summed:
            self._arrived[tensor] += written(part)
        else:
            # The array that arrived first may be somebody else's too: `a + b` hands the same one to a and to b.
            self._arrived[tensor] = written(self._arrived[tensor]) + written(part)
            self._summed.add(tensor)

    def pop_youngest(self) -> tuple[Tensor, np.ndarray]:
        """The youngest tensor, whose gradient is complete: all that was made from it is younger and was visited."""
        *_, tensor = heapq.heappop(self._queue)
        self._summed.discard(tensor)
        return tensor, self._arrived.pop(tensor)


def backward(result: Tensor, grad=None) -> None:
    """Add d(result)/d(leaf), times `grad`, to the `.grad` of every leaf that requires a gradient.

    Why youngest first: with ``b = a + a; c = b + b`` a visit of b before both of its shares have arrived would pass
    half of the gradient on. A tensor is younger than all its inputs, so the youngest one waiting has nothing more to
    wait for.

    Parameters
    ----------
    result : Tensor
    grad
        An array of the shape of `result`; may be left out where `result` holds one number (it is 1 then).

    Raises
    ------
    ValueError
        When nothing was recorded, when `grad` is missing or has another shape, when the tape was used already.

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> from tinyslim.autograd import backward
    >>> a = Tensor(1.0, requires_grad=True)
    >>> b = a + a
    >>> backward(b + b)  # the same as (b + b).backward()
    >>> a.grad
    array(4., dtype=float32)
    """
    if not result.requires_grad:
        raise ValueError(
            "backward() needs a result that requires a gradient; did no input require one, or was it no_grad?"
        )
    gradients = Gradients()
    gradients.add(result, _first_gradient(result, grad))
    while gradients:
        tensor, grad = gradients.pop_youngest()
        if tensor.op == "leaf":
            tensor.grad = _added(tensor, written(grad))
            continue
        if tensor.pull_back is None:
            raise ValueError(
                f"backward() came through this {tensor.op!r} before and its tape is gone: compute it again"
            )
        wanted = tuple(parent is not None and parent.requires_grad for parent in tensor.inputs)
        parts = tensor.pull_back(grad, wanted)
        tensor.pull_back = None  # what it remembers is the largest part of a step's memory
        for index, (parent, part) in enumerate(zip(tensor.inputs, parts, strict=True)):
            if wanted[index]:
                _check_part(tensor, index, part)
                gradients.add(parent, part)


def _added(leaf: Tensor, grad: np.ndarray) -> np.ndarray:
    """A leaf's gradient and one share more: an array of its own, since others may hold the one that arrived."""
    own = buffers.empty(leaf.shape, leaf.dtype)
    own[...] = grad if leaf.grad is None else leaf.grad + grad
    return own


def _first_gradient(result: Tensor, grad) -> np.ndarray:
    if grad is None:
        if result.size != 1:
            raise ValueError(f"`grad` may be left out for one number only, and the result's shape is {result.shape}")
        return np.ones_like(result.data)
    grad = np.asarray(getattr(grad, "data", grad), result.dtype)
    if grad.shape != result.shape:
        raise ValueError(f"`grad` has shape {grad.shape}, expected the result's {result.shape}")
    return grad


def _check_part(tensor: Tensor, index: int, part: np.ndarray) -> None:
    """Stop a wrong derivative where it is made, not three layers further down."""
    expected = tensor.inputs[index].shape
    if np.shape(part) != expected:
        raise ValueError(
            f"the pull_back of {tensor.op!r} gave input {index} a gradient of shape {np.shape(part)}, "
            f"but that input's shape is {expected}"
        )
