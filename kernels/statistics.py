"""Sums along the channels: what batch normalisation asks of the batch, forward and backward.

A chunk's sums are taken in the array's own dtype, a few terms each; the chunks are added up in float64.
"""

from __future__ import annotations

import numpy as np

from . import checks
from .jit import compiled, prange
from .stretches import STRETCHES, chunk_count, repeated, stretch
from .table import kernel
from .threads import run


@compiled(parallel=True)
def chunk_moments(x, length, means, squares):
    """means, squares (chunk, c) ← each chunk's mean, and its sum of squares of what deviates from it.

    Summed is what deviates from the chunk's first pixel: that is small even where the mean is not.
    """
    chunks, c = means.shape
    size = length * STRETCHES
    for item in prange(chunks):
        chunk = np.int64(item)
        part = x[chunk * size : min((chunk + 1) * size, len(x))]
        pixels = len(part) // c
        origin, sums, powers = np.empty(length, x.dtype), np.zeros(length, x.dtype), np.zeros(length, x.dtype)
        for first in range(0, length, c):
            origin[first : first + c] = part[:c]
        for first in range(0, len(part), length):
            here = part[first : first + length]
            for j in range(len(here)):
                deviation = here[j] - origin[j]
                sums[j] += deviation
                powers[j] += deviation * deviation
        for first in range(0, length, c):
            for channel in range(c):
                means[chunk, channel] += sums[first + channel]
                squares[chunk, channel] += powers[first + channel]
        for channel in range(c):
            squares[chunk, channel] -= means[chunk, channel] ** 2 / pixels
            means[chunk, channel] = origin[channel] + means[chunk, channel] / pixels


@compiled()
def combine_moments(means, squares, pixels, last, mean, var):
    """mean, var (c,) ← moments (chunk, c) of chunks of `pixels` pixels, the last one of `last`."""
    chunks, c = means.shape
    total = (chunks - 1) * pixels + last
    mean[:], var[:] = 0, 0
    for chunk in range(chunks):
        count = pixels if chunk < chunks - 1 else last
        for channel in range(c):
            mean[channel] += means[chunk, channel] * (count / total)
    for chunk in range(chunks):
        count = pixels if chunk < chunks - 1 else last
        for channel in range(c):
            far = means[chunk, channel] - mean[channel]
            var[channel] += (squares[chunk, channel] + count * far * far) / total


@compiled(parallel=True)
def gradient_sums(grad, x, mean, scale, shift, low, high, sums):
    """sums (chunk, 2, c) ← each chunk's Σ g and Σ g · (x − mean), with g = grad where low < x·scale + shift < high."""
    chunks, _, c = sums.shape
    length = len(mean)
    size = length * STRETCHES
    for item in prange(chunks):
        chunk = np.int64(item)
        grads = grad[chunk * size : min((chunk + 1) * size, len(x))]
        values = x[chunk * size : min((chunk + 1) * size, len(x))]
        plain, weighted = np.zeros(length, x.dtype), np.zeros(length, x.dtype)
        for first in range(0, len(grads), length):
            g, v = grads[first : first + length], values[first : first + length]
            for j in range(len(g)):
                value = v[j] * scale[j] + shift[j]
                passed = g[j] if (value > low) & (value < high) else x.dtype.type(0)
                plain[j] += passed
                weighted[j] += passed * (v[j] - mean[j])
        for first in range(0, length, c):
            for channel in range(c):
                sums[chunk, 0, channel] += plain[first + channel]
                sums[chunk, 1, channel] += weighted[first + channel]


@compiled(parallel=True)
def chunk_sums(x, length, sums):
    """sums (chunk, c) ← each chunk's Σ x."""
    chunks, c = sums.shape
    size = length * STRETCHES
    for item in prange(chunks):
        chunk = np.int64(item)
        part = x[chunk * size : min((chunk + 1) * size, len(x))]
        total = np.zeros(length, x.dtype)
        for first in range(0, len(part), length):
            here = part[first : first + length]
            for j in range(len(here)):
                total[j] += here[j]
        for first in range(0, length, c):
            for channel in range(c):
                sums[chunk, channel] += total[first + channel]


@kernel
def batch_norm_statistics(x):
    """Mean and biased variance of each channel, over all axes but the last.

    The data are read once. Chunks are combined as Chan, Golub and LeVeque (1983) do, so a mean far larger than the
    deviation costs no digits.

    Parameters
    ----------
    x : float array (..., c)

    Returns
    -------
    mean, var : arrays (c,) of x's dtype

    Examples
    --------
    >>> mean, var = batch_norm_statistics(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> mean.tolist(), var.tolist()
    ([2.0, 5.0], [1.0, 0.0])
    """
    (x,) = checks.floats(x=x)
    checks.some_rows("x", x)
    c, length = x.shape[-1], stretch(x.shape[-1])
    means, squares = np.zeros((2, chunk_count(x), c))
    run(x.size, chunk_moments, x.reshape(-1), length, means, squares)
    pixels = length // c * STRETCHES
    mean, var = np.empty((2, c))
    combine_moments(means, squares, pixels, x.size // c - (len(means) - 1) * pixels, mean, var)
    return mean.astype(x.dtype), var.astype(x.dtype)


@kernel
def batch_norm_gradient_sums(grad, x, mean, scale, shift, low=-np.inf, high=np.inf):
    """What the backward pass of clip(x · scale + shift, low, high) must know of the batch, for each channel.

    Parameters
    ----------
    grad, x : float arrays (..., c)
    mean, scale, shift : arrays (c,)
    low, high : float
        The activation behind the normalisation: a gradient passes where low < x · scale + shift < high.

    Returns
    -------
    Σ g and Σ g · (x − mean) : arrays (c,) of x's dtype, where g is the gradient that passes
    """
    grad, x, vectors = checks.passing_gradient(grad, x, low, high, mean=mean, scale=scale, shift=shift)
    checks.some_rows("x", x)
    sums = np.zeros((chunk_count(x), 2, x.shape[-1]))
    tables = (repeated(vector, x.dtype) for vector in vectors)
    bounds = x.dtype.type(low), x.dtype.type(high)
    run(x.size, gradient_sums, grad.reshape(-1), x.reshape(-1), *tables, *bounds, sums)
    return tuple(sums.sum(axis=0).astype(x.dtype))


@kernel
def channel_sums(grad):
    """Σ over all axes but the last: the gradient of a bias.

    Parameters
    ----------
    grad : float array (..., c)

    Returns
    -------
    array (c,) of grad's dtype
    """
    (grad,) = checks.floats(grad=grad)
    checks.some_axes("grad", grad)
    if grad.size == 0:
        return np.zeros(grad.shape[-1], grad.dtype)
    sums = np.zeros((chunk_count(grad), grad.shape[-1]))
    run(grad.size, chunk_sums, grad.reshape(-1), stretch(grad.shape[-1]), sums)
    return sums.sum(axis=0).astype(grad.dtype)
