"""Maps along the channels: batch normalisation with the activation behind it, its derivative, and images' bytes."""

from __future__ import annotations

import numpy as np

from . import checks
from .buffers import empty
from .deferred import Deferred, written
from .jit import compiled, prange
from .statistics import batch_norm_gradient_sums
from .stretches import STRETCH, repeated
from .table import kernel
from .threads import run


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
def combine_gradient(grad, x, scale, shift, a, b, d, low, high, out):
    """out ← a · g + b · x + d, with g = grad where low < x·scale + shift < high, else 0."""
    length = len(a)
    for item in prange((len(x) + length - 1) // length):
        first = np.int64(item) * length
        g, v, result = grad[first : first + length], x[first : first + length], out[first : first + length]
        for j in range(len(g)):
            value = v[j] * scale[j] + shift[j]
            passed = g[j] if (value > low) & (value < high) else x.dtype.type(0)
            result[j] = a[j] * passed + (b[j] * v[j] + d[j])


@compiled(parallel=True)
def look_up(images, table, out):
    """out (pixel, c) ← table (c, 256) at images (pixel, c)."""
    pixels, c = images.shape
    for item in prange((pixels + STRETCH - 1) // STRETCH):
        first = np.int64(item) * STRETCH
        for pixel in range(first, min(first + STRETCH, pixels)):
            for channel in range(c):
                out[pixel, channel] = table[channel, images[pixel, channel]]


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
    out = empty(x.shape, x.dtype)
    if x.size:
        vectors = repeated(scale, x.dtype), repeated(shift, x.dtype)
        run(x.size, scale_shift_clip, x.reshape(-1), *vectors, x.dtype.type(low), x.dtype.type(high), out.reshape(-1))
    return out


@kernel
def batch_norm_gradient(grad, x, scale, shift, a, b, d, low=-np.inf, high=np.inf):
    """a · g + b · x + d, where g is the gradient that passes the activation: `grad` where low < x·scale + shift < high.

    The derivative of a batch norm and the clipping behind it, once the sums over the batch are known (see
    `batch_norm_gradient_sums`; `autograd.normalization` derives the three vectors).

    Parameters
    ----------
    grad, x : float arrays (..., c)
    scale, shift, a, b, d : arrays (c,)
    low, high : float

    Returns
    -------
    array of x's shape and grad's dtype
    """
    vectors = {"scale": scale, "shift": shift, "a": a, "b": b, "d": d}
    grad, x, vectors = checks.passing_gradient(grad, x, low, high, **vectors)
    out = empty(x.shape, x.dtype)
    if x.size:
        tables = (repeated(vector, x.dtype) for vector in vectors)
        bounds = x.dtype.type(low), x.dtype.type(high)
        run(x.size, combine_gradient, grad.reshape(-1), x.reshape(-1), *tables, *bounds, out.reshape(-1))
    return out


class Normalized(Deferred):
    """clip(x · scale + shift, low, high), as `scale_shift` computes it.

    `mean` is the batch's, if the numbers come from it: the convolution of such an array measures its own outputs, and
    what it sends back, since a batch norm will ask for that.
    """

    def __init__(self, x, scale, shift, low=-np.inf, high=np.inf, mean=None):
        super().__init__(x.shape, x.dtype)
        (x,) = checks.floats(x=x)
        self.x, self.scale, self.shift, self.low, self.high, self.mean = x, scale, shift, low, high, mean

    def clipped(self, low: float, high: float) -> Normalized:
        """The same, with bounds; for one that has none yet."""
        return Normalized(self.x, self.scale, self.shift, low, high, self.mean)

    @property
    def bounded(self) -> bool:
        """Whether it is clipped."""
        return (self.low, self.high) != (-np.inf, np.inf)

    def compute(self) -> np.ndarray:
        return scale_shift(self.x, self.scale, self.shift, self.low, self.high)


class Measured(Deferred):
    """An array that is there, and the mean and biased variance (c,) of its channels."""

    def __init__(self, array: np.ndarray, mean: np.ndarray, var: np.ndarray):
        super().__init__(array.shape, array.dtype)
        self.written, self.mean, self.var = array, mean, var


class MeasuredGradient(Deferred):
    """The gradient of `of`, which is there, and its sums (c,) as `batch_norm_gradient_sums` takes them."""

    def __init__(self, array: np.ndarray, of: Normalized, sums: tuple[np.ndarray, np.ndarray]):
        super().__init__(array.shape, array.dtype)
        self.written, self.of, self.sums = array, of, sums


class PassedGradient(Deferred):
    """A gradient where the clipping of `of` lets it pass, else 0; and its sums, if whoever made it took them."""

    def __init__(self, grad, of: Normalized):
        super().__init__(grad.shape, grad.dtype)
        measured = isinstance(grad, MeasuredGradient) and grad.of is of
        (self.grad,), self.of = checks.floats(grad=written(grad)), of
        self._sums = grad.sums if measured else None

    def sums(self, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Σ g and Σ g · (x − mean) of what passes, for each channel."""
        of = self.of
        if self._sums is None:
            self._sums = batch_norm_gradient_sums(self.grad, of.x, mean, of.scale, of.shift, of.low, of.high)
        return self._sums

    def compute(self) -> np.ndarray:
        one, zero = (np.full(self.shape[-1], value, self.dtype) for value in (1, 0))
        of = self.of
        return batch_norm_gradient(self.grad, of.x, of.scale, of.shift, one, zero, zero, of.low, of.high)


class NormalizedGradient(Deferred):
    """a · g + b · x + d, as `batch_norm_gradient` computes it; g is `grad` where the clipping of `of` lets it pass."""

    def __init__(self, grad, of: Normalized, a, b, d):
        super().__init__(grad.shape, grad.dtype)
        (self.grad,), self.of = checks.floats(grad=grad), of
        self.a, self.b, self.d = a, b, d

    def compute(self) -> np.ndarray:
        of = self.of
        return batch_norm_gradient(self.grad, of.x, of.scale, of.shift, self.a, self.b, self.d, of.low, of.high)


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
