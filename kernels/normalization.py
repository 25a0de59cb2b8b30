"""Batch normalisation and what else runs along the channels of the last axis; all of it waits for memory.

Arrays are read flat, in stretches of whole pixels. Vectors of a number a channel are repeated to a stretch's length, so
that the inner loops are long and plain for eight channels as for a thousand.
"""

from __future__ import annotations

import numpy as np

from . import checks
from .jit import compiled, prange
from .table import kernel
from .threads import run

#: Elements of a stretch, about; and stretches of a chunk, whose sums are taken together.
STRETCH, STRETCHES = 1 << 10, 16


def stretch(channels: int) -> int:
    """Elements of a stretch: whole pixels."""
    return max(STRETCH // channels, 1) * channels


def repeated(vector: np.ndarray, dtype) -> np.ndarray:
    """A number a channel, again and again, as long as a stretch."""
    return np.tile(vector.astype(dtype), stretch(len(vector)) // len(vector))


@compiled(parallel=True)
def chunk_moments(x, length, means, squares):
    """means, squares (chunk, c) ← each chunk's mean, and its sum of squares of what deviates from it, in float64."""
    chunks, c = means.shape
    size = length * STRETCHES
    for item in prange(chunks):
        chunk = np.int64(item)
        part = x[chunk * size : min((chunk + 1) * size, len(x))]
        pixels = len(part) // c
        sums, mean = np.zeros(length), np.zeros(length)
        for first in range(0, len(part), length):
            here = part[first : first + length]
            for j in range(len(here)):
                sums[j] += here[j]
        for j in range(length):
            means[chunk, j % c] += sums[j] / pixels
        for j in range(length):
            mean[j] = means[chunk, j % c]
            sums[j] = 0
        for first in range(0, len(part), length):
            here = part[first : first + length]
            for j in range(len(here)):
                sums[j] += (here[j] - mean[j]) ** 2
        for j in range(length):
            squares[chunk, j % c] += sums[j]


@compiled(parallel=True)
def gradient_sums(grad, x, mean, sums):
    """sums (chunk, 2, c) ← each chunk's sums of grad and of grad · (x − mean), in float64."""
    chunks, _, c = sums.shape
    length = len(mean)
    size = length * STRETCHES
    for item in prange(chunks):
        chunk = np.int64(item)
        grads = grad[chunk * size : min((chunk + 1) * size, len(x))]
        values = x[chunk * size : min((chunk + 1) * size, len(x))]
        plain, weighted = np.zeros(length), np.zeros(length)
        for first in range(0, len(grads), length):
            g, v = grads[first : first + length], values[first : first + length]
            for j in range(len(g)):
                plain[j] += g[j]
                weighted[j] += g[j] * (v[j] - mean[j])
        for j in range(length):
            sums[chunk, 0, j % c] += plain[j]
            sums[chunk, 1, j % c] += weighted[j]


@compiled(parallel=True)
def combine_gradient(grad, x, mean, a, b, d, out):
    """out ← a · grad + b · (x − mean) + d."""
    length = len(a)
    for item in prange((len(x) + length - 1) // length):
        first = np.int64(item) * length
        g, v, result = grad[first : first + length], x[first : first + length], out[first : first + length]
        for j in range(len(g)):
            result[j] = a[j] * g[j] + b[j] * (v[j] - mean[j]) + d[j]


@compiled(parallel=True)
def scale_shift_clip(x, scale, shift, low, high, out):
    """out ← x · scale + shift, at least `low` and at most `high`."""
    length = len(scale)
    for item in prange((len(x) + length - 1) // length):
        first = np.int64(item) * length
        source, result = x[first : first + length], out[first : first + length]
        for j in range(len(source)):
            value = source[j] * scale[j] + shift[j]
            value = low if value < low else value
            result[j] = high if value > high else value


@compiled(parallel=True)
def look_up(images, table, out):
    """out (pixel, c) ← table (c, 256) at images (pixel, c)."""
    pixels, c = images.shape
    for item in prange((pixels + STRETCH - 1) // STRETCH):
        first = np.int64(item) * STRETCH
        for pixel in range(first, min(first + STRETCH, pixels)):
            for channel in range(c):
                out[pixel, channel] = table[channel, images[pixel, channel]]


def chunk_count(x: np.ndarray) -> int:
    """Chunks of an array: a matter of its shape alone, so that sums are the same with any number of threads."""
    return -(-x.size // (stretch(x.shape[-1]) * STRETCHES))


@kernel
def batch_norm_statistics(x):
    """Mean and biased variance of each channel, over all axes but the last.

    Each chunk of the data is read once into the cache and passed over twice there, the mean first; chunks are combined
    as Chan, Golub and LeVeque (1983) do. So a mean far larger than the deviation costs no digits.

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
    c = x.shape[-1]
    means, squares = np.zeros((2, chunk_count(x), c))
    length = stretch(c)
    run(x.size, chunk_moments, x.reshape(-1), length, means, squares)
    pixels = np.full((len(means), 1), length // c * STRETCHES)
    pixels[-1] = x.size // c - pixels[:-1].sum()
    mean = (pixels * means).sum(axis=0) / pixels.sum()
    var = (squares + pixels * np.square(means - mean)).sum(axis=0) / pixels.sum()
    return mean.astype(x.dtype), var.astype(x.dtype)


@kernel
def scale_shift(x, scale, shift, low=-np.inf, high=np.inf):
    """clip(x · scale + shift, low, high), with a scale and a shift for each channel of the last axis.

    Batch normalisation with known statistics, and the ReLU after it. NaN stays NaN.

    Parameters
    ----------
    x : float array (..., c)
    scale, shift : arrays (c,)
    low, high : float

    Returns
    -------
    array of x's shape and dtype
    """
    x, scale, shift = checks.scale_shift(x, scale, shift, low, high)
    out = np.empty_like(x)
    if x.size:
        vectors = repeated(scale, x.dtype), repeated(shift, x.dtype)
        run(x.size, scale_shift_clip, x.reshape(-1), *vectors, x.dtype.type(low), x.dtype.type(high), out.reshape(-1))
    return out


@kernel
def batch_norm_gradient(grad, x, mean, inverse_std, gamma):
    """The derivative of batch normalisation in training, where mean and variance depend on x.

    With x̂ = (x − mean) · inverse_std over N pixels (Ioffe and Szegedy, 2015, section 3):
    dbeta = Σ grad, dgamma = Σ grad · x̂, dx = gamma · inverse_std · (grad − dbeta / N − x̂ · dgamma / N).

    Parameters
    ----------
    grad, x : float arrays (..., c)
    mean, inverse_std, gamma : arrays (c,)

    Returns
    -------
    dx, dgamma, dbeta : arrays of x's shape, (c,) and (c,), of grad's dtype
    """
    grad, x, mean, inverse_std, gamma = checks.batch_norm_gradient(grad, x, mean, inverse_std, gamma)
    count, means = x.size // x.shape[-1], repeated(mean, x.dtype)
    sums = np.zeros((chunk_count(x), 2, x.shape[-1]))
    run(x.size, gradient_sums, grad.reshape(-1), x.reshape(-1), means, sums)
    dbeta, dgamma = sums.sum(axis=0)
    inverse_std = inverse_std.astype(np.float64)
    dgamma *= inverse_std
    a = gamma * inverse_std
    b, d = -a * inverse_std * dgamma / count, -a * dbeta / count
    dx = np.empty_like(x)
    vectors = (repeated(vector, x.dtype) for vector in (a, b, d))
    run(x.size, combine_gradient, grad.reshape(-1), x.reshape(-1), means, *vectors, dx.reshape(-1))
    return dx, dgamma.astype(x.dtype), dbeta.astype(x.dtype)


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
    flat, sums = grad.reshape(-1), np.zeros((chunk_count(grad), 2, grad.shape[-1]))
    run(grad.size, gradient_sums, flat, flat, repeated(np.zeros(grad.shape[-1]), grad.dtype), sums)
    return sums[:, 0].sum(axis=0).astype(grad.dtype)


@kernel
def normalize_images(images, mean, std):
    """(images / 255 − mean) / std as float32: what a model takes, from the bytes of a picture.

    Parameters
    ----------
    images : uint8 array (..., c)
    mean, std : a number a channel, of pixels in 0…1

    Returns
    -------
    float32 array of the images' shape

    Examples
    --------
    >>> normalize_images(np.array([[0], [255]], np.uint8), mean=[0.5], std=[0.25]).ravel().tolist()
    [-2.0, 2.0]
    """
    images, mean, std = checks.normalize_images(images, mean, std)
    levels = np.arange(256) / 255.0
    table = ((levels - mean[:, None]) / std[:, None]).astype(np.float32)
    out = np.empty(images.shape, np.float32)
    run(out.size, look_up, images.reshape(-1, len(mean)), table, out.reshape(-1, len(mean)))
    return out
