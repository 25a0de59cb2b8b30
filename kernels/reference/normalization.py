"""Plain twins of batch normalisation, of clipping and of what else runs along the last axis."""

from __future__ import annotations

import numpy as np

from .. import checks


def batch_norm_statistics(x):
    """Twin of `kernels.batch_norm_statistics`: two passes over the data, the mean first."""
    (x,) = checks.floats(x=x)
    checks.some_rows("x", x)
    rows = x.reshape(-1, x.shape[-1]).astype(np.float64)
    mean = rows.mean(axis=0)
    var = np.square(rows - mean).mean(axis=0)
    return mean.astype(x.dtype), var.astype(x.dtype)


def scale_shift(x, scale, shift, low=-np.inf, high=np.inf):
    """Twin of `kernels.scale_shift`."""
    x, scale, shift = checks.scale_shift(x, scale, shift, low, high)
    return np.clip(x * scale + shift, x.dtype.type(low), x.dtype.type(high))


def _passing(grad, x, scale, shift, low, high):
    """`grad` where low < x·scale + shift < high, else 0."""
    value = x * scale + shift
    return np.where((value > x.dtype.type(low)) & (value < x.dtype.type(high)), grad, grad.dtype.type(0))


def batch_norm_gradient_sums(grad, x, mean, scale, shift, low=-np.inf, high=np.inf):
    """Twin of `kernels.batch_norm_gradient_sums`."""
    grad, x, (mean, scale, shift) = checks.passing_gradient(grad, x, low, high, mean=mean, scale=scale, shift=shift)
    checks.some_rows("x", x)
    passed = _passing(grad, x, scale, shift, low, high).astype(np.float64)
    axes = tuple(range(x.ndim - 1))
    return tuple(value.sum(axis=axes).astype(x.dtype) for value in (passed, passed * (x - mean)))


def batch_norm_gradient(grad, x, scale, shift, a, b, d, low=-np.inf, high=np.inf):
    """Twin of `kernels.batch_norm_gradient`."""
    vectors = {"scale": scale, "shift": shift, "a": a, "b": b, "d": d}
    grad, x, (scale, shift, a, b, d) = checks.passing_gradient(grad, x, low, high, **vectors)
    return a * _passing(grad, x, scale, shift, low, high) + (b * x + d)


def clip(x, low, high):
    """Twin of `kernels.clip`."""
    (x,) = checks.floats(x=x)
    checks.ordered("low", low, "high", high)
    return np.clip(x, x.dtype.type(low), x.dtype.type(high))


def clip_gradient(grad, x, low, high):
    """Twin of `kernels.clip_gradient`."""
    grad, x = checks.floats(grad=grad, x=x)
    checks.shape("grad", grad, x.shape)
    checks.ordered("low", low, "high", high)
    outside = (x <= x.dtype.type(low)) | (x >= x.dtype.type(high))
    return np.where(outside, grad.dtype.type(0), grad)


def momentum_step(weight, grad, velocity, lr, momentum, decay=0.0, nesterov=False, out=None):
    """Twin of `kernels.momentum_step`."""
    weight, grad, velocity, out = checks.momentum_step(weight, grad, velocity, out)
    lr, momentum, decay = (weight.dtype.type(value) for value in (lr, momentum, decay))
    grad = grad + decay * weight
    velocity = momentum * velocity + grad
    results = weight - lr * (grad + momentum * velocity if nesterov else velocity), velocity
    for target, result in zip(out or (), results, strict=False):
        target[...] = result
    return out or results


def channel_sums(grad):
    """Twin of `kernels.channel_sums`."""
    (grad,) = checks.floats(grad=grad)
    checks.some_axes("grad", grad)
    return grad.sum(axis=tuple(range(grad.ndim - 1)), dtype=np.float64).astype(grad.dtype)


def normalize_images(images, mean, std):
    """Twin of `kernels.normalize_images`: computed in float64, rounded to float32 once."""
    images, mean, std = checks.normalize_images(images, mean, std)
    return ((images / 255.0 - mean) / std).astype(np.float32)
