"""Fake quantisation: on to the integers' grid and back, and how gradients pass; a step for all, or one a channel."""

from __future__ import annotations

import numpy as np

from . import checks
from .buffers import empty
from .jit import compiled, prange
from .stretches import STRETCHES, chunk_count, repeated
from .table import kernel
from .threads import run


@compiled(parallel=True)
def round_all(x, scale, zero_point, qmin, qmax, out):
    """out ← x on the integers' grid and back."""
    length = len(scale)
    for item in prange((len(x) + length - 1) // length):
        first = np.int64(item) * length
        source, result = x[first : first + length], out[first : first + length]
        for j in range(len(source)):
            q = np.rint(source[j] / scale[j]) + zero_point
            q = qmin if q < qmin else q
            q = qmax if q > qmax else q
            result[j] = (q - zero_point) * scale[j]


@compiled(parallel=True)
def pass_inside(grad, x, scale, zero_point, qmin, qmax, out):
    """out ← grad where the integer of x is not clipped, else 0."""
    length = len(scale)
    for item in prange((len(x) + length - 1) // length):
        first = np.int64(item) * length
        g, source, result = grad[first : first + length], x[first : first + length], out[first : first + length]
        for j in range(len(source)):
            q = np.rint(source[j] / scale[j]) + zero_point
            result[j] = g[j] if (q >= qmin) & (q <= qmax) else 0


@compiled(parallel=True)
def pass_inside_and_sum(grad, x, scale, low, high, out, sums):
    """out ← grad where low < x / scale < high, else 0; sums (chunk, c), zeros ← Σ grad · d(rounded x)/d(scale)."""
    chunks, c = sums.shape
    length = len(scale)
    size = length * STRETCHES
    for item in prange(chunks):
        chunk = np.int64(item)
        grads, values = grad[chunk * size : (chunk + 1) * size], x[chunk * size : (chunk + 1) * size]
        results, total = out[chunk * size : (chunk + 1) * size], np.zeros(length, x.dtype)
        for first in range(0, len(grads), length):
            g, v, result = (
                grads[first : first + length], values[first : first + length], results[first : first + length]
            )  # fmt: skip
            for j in range(len(g)):
                ratio = v[j] / scale[j]
                slope = np.rint(ratio) - ratio
                slope = low if ratio <= low else slope
                slope = high if ratio >= high else slope
                result[j] = g[j] if (ratio > low) & (ratio < high) else 0
                total[j] += g[j] * slope
        for first in range(0, length, c):
            for channel in range(c):
                sums[chunk, channel] += total[first + channel]


@kernel
def fake_quant(x, scale, zero_point, qmin, qmax):
    """The real numbers that the integers clip(round(x / scale) + zero_point, qmin, qmax) stand for.

    Halves are rounded to even. NaN stays NaN. (Jacob et al. 2018, equation 12.)

    Parameters
    ----------
    x : float array (..., c)
    scale : float above 0, the real distance of two neighbouring integers; or an array (c,), one a channel
    zero_point : int that stands for 0.0
    qmin, qmax : int

    Returns
    -------
    array of x's shape and dtype

    Examples
    --------
    >>> fake_quant(np.array([-1.0, 0.26, 9.0]), scale=0.1, zero_point=0, qmin=0, qmax=7).round(3).tolist()
    [0.0, 0.3, 0.7]
    >>> fake_quant(np.array([0.26, 0.26]), scale=np.array([0.1, 0.5]), zero_point=0, qmin=-7, qmax=7).tolist()
    [0.30000000000000004, 0.5]
    """
    (x,) = checks.floats(x=x)
    scale, *integers = checks.fake_quant(x, scale, zero_point, qmin, qmax)
    out = empty(x.shape, x.dtype)
    if x.size:
        run(x.size, round_all, x.reshape(-1), repeated(scale, x.dtype), *integers, out.reshape(-1))
    return out


@kernel
def fake_quant_gradient(grad, x, scale, zero_point, qmin, qmax):
    """The straight-through derivative of `fake_quant`: `grad` where the integer was not clipped, else 0.

    Parameters
    ----------
    grad, x : float arrays of one shape
    scale, zero_point, qmin, qmax : as `fake_quant` takes them

    Returns
    -------
    array of grad's shape and dtype
    """
    grad, x = checks.floats(grad=grad, x=x)
    checks.shape("grad", grad, x.shape)
    scale, *integers = checks.fake_quant(x, scale, zero_point, qmin, qmax)
    out = empty(x.shape, x.dtype)
    if x.size:
        flat = grad.reshape(-1), x.reshape(-1)
        run(x.size, pass_inside, *flat, repeated(scale, x.dtype), *integers, out.reshape(-1))
    return out


@kernel
def learned_fake_quant_gradients(grad, x, scale, zero_point, qmin, qmax):
    """Both derivatives of `fake_quant` as learned steps take them, of x and of the scale, in one pass.

    Esser et al. 2020, equations 3 and 5. With v = x / scale, the gradient of x passes where qmin < v + zero_point <
    qmax; that of the scale is grad · (round(v) − v) there, and grad · (qmin − zero_point) or grad · (qmax − zero_point)
    beyond.

    Parameters
    ----------
    grad, x : float arrays of one shape
    scale, zero_point, qmin, qmax : as `fake_quant` takes them

    Returns
    -------
    array of grad's shape and dtype, and one of the scale's: () or (c,)

    Examples
    --------
    >>> dx, dscale = learned_fake_quant_gradients(np.ones(3), np.array([-9.0, 0.75, 9.0]), 1.0, 0, -7, 7)
    >>> dx.tolist(), dscale.item()
    ([0.0, 1.0, 0.0], 0.25)
    """
    grad, x = checks.floats(grad=grad, x=x)
    checks.shape("grad", grad, x.shape)
    shape = np.shape(scale)
    scale, zero_point, qmin, qmax = checks.fake_quant(x, scale, zero_point, qmin, qmax)
    out = empty(x.shape, x.dtype)
    sums = np.zeros((chunk_count(x.reshape(-1, len(scale))), len(scale)))
    if x.size:
        flat, steps = (grad.reshape(-1), x.reshape(-1)), repeated(scale, x.dtype)
        run(x.size, pass_inside_and_sum, *flat, steps, qmin - zero_point, qmax - zero_point, out.reshape(-1), sums)
    return out, sums.sum(axis=0).astype(x.dtype).reshape(shape)
