"""Is this derivative right? Ask finite differences, along random directions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .tensor import Tensor


class GradientMismatchError(AssertionError):
    """A gradient that finite differences contradict."""


def directional_derivative(function: Callable, arrays: list, directions: list, step: float) -> float:
    """(f(x + step·d) − f(x − step·d)) / (2·step) for a function of several arrays that returns a number."""
    ahead = function(*(x + step * d for x, d in zip(arrays, directions, strict=True)))
    behind = function(*(x - step * d for x, d in zip(arrays, directions, strict=True)))
    return (ahead - behind) / (2 * step)


def gradcheck(
    function: Callable,
    *inputs,
    directions: int = 3,
    step: float = 1e-6,
    rtol: float = 1e-5,
    atol: float = 1e-7,
    seed: int = 0,
) -> bool:
    """Whether backward agrees with finite differences, in float64.

    The result is contracted with a random array, so that one number stands for all its elements; that number's slope
    along a random direction of each input must be the gradient times the direction. A wrong element of a gradient shows
    up along almost every direction, where a check of single elements would have to hit it.

    Parameters
    ----------
    function
        Takes as many Tensors as there are `inputs` and returns one.
    *inputs
        Arrays or Tensors; they are checked as float64. Keep them away from kinks (0 for a ReLU).
    directions : int
        How many random directions each input is tried along.
    step : float
        The step of the finite differences.
    rtol, atol : float
        How far the two numbers may be apart.
    seed : int

    Returns
    -------
    bool
        True, always: a mismatch is an error.

    Raises
    ------
    GradientMismatchError
        Names the input, the slope that was measured and the one that backward claims.

    Examples
    --------
    >>> import numpy as np
    >>> import tinyslim.functional as F
    >>> from tinyslim import gradcheck
    >>> gradcheck(F.tanh, np.linspace(-1, 1, 5))
    True
    """
    rng = np.random.default_rng(seed)
    arrays = [np.array(getattr(x, "data", x), np.float64) for x in inputs]
    leaves = [Tensor(array, requires_grad=True) for array in arrays]
    result = function(*leaves)
    covector = rng.standard_normal(result.shape)
    result.backward(covector)

    def contracted(*values: np.ndarray) -> float:
        return float((function(*(Tensor(value) for value in values)).data * covector).sum())

    for index, leaf in enumerate(leaves):
        for _ in range(directions):
            chosen = [np.zeros_like(array) for array in arrays]
            chosen[index] = rng.standard_normal(leaf.shape)
            measured = directional_derivative(contracted, arrays, chosen, step)
            claimed = 0.0 if leaf.grad is None else float((leaf.grad * chosen[index]).sum())
            if not abs(measured - claimed) <= atol + rtol * max(abs(measured), abs(claimed)):
                raise GradientMismatchError(
                    f"input {index} of {getattr(function, '__name__', 'the function')}: finite differences measure a "
                    f"slope of {measured:.9g} along a random direction, backward says {claimed:.9g}"
                )
    return True
