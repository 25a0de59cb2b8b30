"""Clipping, which is ReLU and ReLU6, a step of an optimizer, the largest |x|: each element is treated alone."""

from __future__ import annotations

import numpy as np

from . import checks, reference
from .buffers import empty
from .jit import compiled, prange
from .table import kernel
from .threads import run

#: Elements that a thread takes at once, and maxima that it keeps of them side by side.
STRETCH, LANES = 1 << 12, 64

#: Elements below which NumPy is done before a compiled loop has begun.
FEW = 1 << 12


@compiled(parallel=True)
def clip_all(x, low, high, out):
    """out ← x, at least `low` and at most `high`."""
    for item in prange((len(x) + STRETCH - 1) // STRETCH):
        first = np.int64(item) * STRETCH
        source, result = x[first : first + STRETCH], out[first : first + STRETCH]
        for j in range(len(source)):
            value = low if source[j] < low else source[j]
            result[j] = high if value > high else value


@compiled(parallel=True)
def clip_gradient_all(grad, x, low, high, out):
    """out ← grad where low < x < high, else 0."""
    for item in prange((len(x) + STRETCH - 1) // STRETCH):
        first = np.int64(item) * STRETCH
        g, source, result = grad[first : first + STRETCH], x[first : first + STRETCH], out[first : first + STRETCH]
        for j in range(len(source)):
            outside = (source[j] <= low) | (source[j] >= high)
            result[j] = 0 if outside else g[j]


@compiled(parallel=True)
def abs_max_all(x, largest):
    """largest (stretch, lane), zeros ← max |x| of a stretch, a lane taking every 64th; once a NaN, always a NaN."""
    stretches, lanes = largest.shape
    for item in prange(stretches):
        first = np.int64(item) * STRETCH
        part, best = x[first : first + STRETCH], largest[item]
        for begin in range(0, len(part), lanes):
            here = part[begin : begin + lanes]
            for j in range(len(here)):
                value = abs(here[j])
                best[j] = value if (value > best[j]) | (value != value) else best[j]


@compiled(parallel=True)
def momentum_all(weight, grad, velocity, lr, momentum, decay, ahead, new_weight, new_velocity):
    """new_velocity ← momentum·velocity + g, new_weight ← weight − lr·(that, or with `ahead` g + momentum·that)."""
    for item in prange((len(weight) + STRETCH - 1) // STRETCH):
        first = np.int64(item) * STRETCH
        w, v, g = weight[first : first + STRETCH], velocity[first : first + STRETCH], grad[first : first + STRETCH]
        moved, speed = new_weight[first : first + STRETCH], new_velocity[first : first + STRETCH]
        for j in range(len(w)):
            pulled = g[j] + decay * w[j]
            faster = momentum * v[j] + pulled
            speed[j] = faster
            moved[j] = w[j] - lr * (pulled + momentum * faster if ahead else faster)


@kernel
def momentum_step(weight, grad, velocity, lr, momentum, decay=0.0, nesterov=False, out=None):
    """A step of gradient descent with momentum, in one pass over the arrays where NumPy takes seven.

    With g = grad + decay·weight: velocity ← momentum·velocity + g; weight ← weight − lr·velocity, or with Nesterov's
    look ahead weight − lr·(g + momentum·velocity). (Sutskever et al. 2013, §2, in PyTorch's form.)

    Parameters
    ----------
    weight, grad, velocity : float arrays of one shape
    lr, momentum, decay : float
    nesterov : bool
    out : pair of arrays or None
        Where the results go, for instance into `weight` and `velocity` themselves; by default into new arrays.

    Returns
    -------
    weight, velocity : arrays of that shape and of weight's dtype, or those of `out`

    Examples
    --------
    >>> momentum_step(np.array([1.0]), np.array([2.0]), np.array([0.5]), lr=0.1, momentum=0.5)
    (array([0.775]), array([2.25]))
    """
    if np.size(weight) < FEW:
        return reference.momentum_step(weight, grad, velocity, lr, momentum, decay, nesterov, out)
    weight, grad, velocity, moved = checks.momentum_step(weight, grad, velocity, out)
    moved = moved or (empty(weight.shape, weight.dtype), empty(weight.shape, weight.dtype))
    numbers = (weight.dtype.type(value) for value in (lr, momentum, decay))
    flat = (value.reshape(-1) for value in (weight, grad, velocity))
    run(weight.size, momentum_all, *flat, *numbers, bool(nesterov), *(value.reshape(-1) for value in moved))
    return moved


@kernel
def clip(x, low, high):
    """x, at least `low` and at most `high`: ReLU is clip(x, 0, inf), ReLU6 clip(x, 0, 6). NaN stays NaN.

    Parameters
    ----------
    x : float array
    low, high : float

    Returns
    -------
    array of x's shape and dtype
    """
    (x,) = checks.floats(x=x)
    checks.ordered("low", low, "high", high)
    out = empty(x.shape, x.dtype)
    run(x.size, clip_all, x.reshape(-1), x.dtype.type(low), x.dtype.type(high), out.reshape(-1))
    return out


@kernel
def clip_gradient(grad, x, low, high):
    """The derivative of `clip`: `grad` where low < x < high, else 0.

    Parameters
    ----------
    grad, x : float arrays of one shape
    low, high : float

    Returns
    -------
    array of grad's shape and dtype
    """
    grad, x = checks.floats(grad=grad, x=x)
    checks.shape("grad", grad, x.shape)
    checks.ordered("low", low, "high", high)
    out = empty(x.shape, x.dtype)
    bounds = x.dtype.type(low), x.dtype.type(high)
    run(x.size, clip_gradient_all, grad.reshape(-1), x.reshape(-1), *bounds, out.reshape(-1))
    return out


@kernel
def abs_max(x):
    """The largest |x| as a float: 0 of nothing, NaN if there is any.

    Parameters
    ----------
    x : float array

    Examples
    --------
    >>> abs_max(np.array([1.0, -3.0]))
    3.0
    """
    (x,) = checks.floats(x=x)
    largest = np.zeros((-(-x.size // STRETCH), LANES), x.dtype)
    run(x.size, abs_max_all, x.reshape(-1), largest)
    return float(largest.max(initial=0.0))
