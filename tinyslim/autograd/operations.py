"""How an operation joins the tape: it computes its result and, beside it, says how a gradient flows back.

An operation is a function of arrays that returns ``result, pull_back``. `pull_back(grad, wanted)` takes the gradient of
the result and returns one gradient for each tensor that went in, or None where `wanted` says that nobody asks for it.

Results and gradients may be deferred (`kernels.Deferred`): formulas that stand for an array. An operation is handed
arrays, unless it says that it takes formulas too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from numbers import Number

import numpy as np

from tinyslim.kernels import written

from . import tape
from .tensor import Tensor

#: Every operation by name: what a graph runs and what its rules are written for.
OPERATIONS: dict[str, Callable] = {}


def operation(*tensors: str, name: str | None = None, formulas: bool = False) -> Callable:
    """Lift a function of arrays to Tensors and enter it in the table.

    Parameters
    ----------
    *tensors
        The names of the function's parameters that are tensors, in order; its others are attributes.
    name
        What the tape calls the operation, by default the function's own name.
    formulas
        Whether the operation and its `pull_back` take deferred arrays as they are.

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> from tinyslim.autograd.operations import operation, each
    >>> @operation("x")
    ... def cube(x):
    ...     return x**3, each(lambda grad: grad * 3 * x**2)
    >>> x = Tensor([2.0], requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad
    array([12.], dtype=float32)
    """

    def lift(forward: Callable) -> Callable:
        label, bind = name or forward.__name__, _binder(inspect.signature(forward))

        @wraps(forward)
        def apply(*arguments, **keywords) -> Tensor:
            attributes = bind(arguments, keywords)
            inputs = as_tensors([attributes.pop(tensor) for tensor in tensors])
            values = [None if t is None else t.value if formulas else t.data for t in inputs]
            result, pull_back = forward(*values, **attributes)
            return remember(label, inputs, attributes, result, pull_back if formulas else _of_arrays(pull_back))

        OPERATIONS[label] = apply
        return apply

    return lift


def _binder(signature: inspect.Signature) -> Callable:
    """A function that names arguments as `signature` does, with its defaults; its own `bind` is slow."""
    names = tuple(signature.parameters)
    defaults = {key: p.default for key, p in signature.parameters.items() if p.default is not p.empty}

    def bind(arguments: tuple, keywords: dict) -> dict:
        positional = dict(zip(names, arguments, strict=False))
        bound = {**defaults, **positional, **keywords}
        if len(bound) != len(names) or len(positional) < len(arguments) or positional.keys() & keywords.keys():
            signature.bind(*arguments, **keywords)  # raises, and tells what is missing or too much
        return {key: bound[key] for key in names}

    return bind


def _of_arrays(pull_back: Callable) -> Callable:
    """`pull_back` of the array that a deferred gradient stands for."""
    return lambda grad, wanted: pull_back(written(grad), wanted)


def as_tensors(values: list) -> tuple[Tensor | None, ...]:
    """Tensors and None as they are, arrays as new leaves; a Python number takes the dtype of the first tensor."""
    dtype = next((value.dtype for value in values if isinstance(value, Tensor | np.ndarray)), np.dtype(np.float32))
    return tuple(
        value
        if value is None or isinstance(value, Tensor)
        else Tensor(np.asarray(value, dtype) if isinstance(value, Number) else value)
        for value in values
    )


def remember(name: str, inputs: tuple, attributes: dict, result, pull_back: Callable) -> Tensor:
    """The result as a Tensor; what the tape is told to record decides how much it remembers."""
    tensor = Tensor(result)
    recording = tape.recording()
    differentiable = recording is tape.Recording.GRADIENTS and any(t is not None and t.requires_grad for t in inputs)
    if differentiable or recording is tape.Recording.EVERYTHING:
        tensor.op, tensor.inputs, tensor.attributes, tensor.scope = name, inputs, attributes, tape.scope()
    if differentiable:
        tensor.requires_grad, tensor.pull_back = True, pull_back
    return tensor


def each(*rules: Callable) -> Callable:
    """A `pull_back` made of one rule for each input, run only where the input's gradient is wanted."""

    def pull_back(grad, wanted):
        return tuple(rule(grad) if want else None for rule, want in zip(rules, wanted, strict=True))

    return pull_back
