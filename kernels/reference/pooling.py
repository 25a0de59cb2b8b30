"""Plain twins of the poolings: a loop over the window's taps."""

from __future__ import annotations

import numpy as np

from .. import checks, geometry
from .windows import crop, pad, taps


def max_pool2d(x, size, stride, padding=0):
    """Twin of `kernels.max_pool2d`: the largest value of each window, and where in its image's plane it lies."""
    (x,) = checks.floats(x=x)
    window = checks.max_pool_window(x, size, stride, padding)
    n, in_y, in_x, c = x.shape
    best = np.full((n, window.out_y, window.out_x, c), -np.inf, x.dtype)
    argmax = np.full(best.shape, -1, np.int32)
    plane = np.arange(in_y * in_x, dtype=np.int32).reshape(1, in_y, in_x, 1)
    positions = taps(pad(plane, window, value=-1), window)
    for (_, _, patch), (_, _, position) in zip(taps(pad(x, window), window), positions, strict=True):
        better = (position >= 0) & ((patch > best) | np.isnan(patch) | (argmax < 0))
        best = np.where(better, patch, best)
        argmax = np.where(better, position, argmax)
    return best, argmax


def max_pool2d_gradient(grad, argmax, input_shape):
    """Twin of `kernels.max_pool2d_gradient`: each window's gradient goes to the pixel that was its largest."""
    grad, argmax, (n, in_y, in_x, c) = checks.max_pool_gradient(grad, argmax, input_shape)
    planes = np.zeros((n, in_y * in_x, c), grad.dtype)
    image, _, _, channel = np.indices(argmax.shape)
    np.add.at(planes, (image, argmax, channel), grad)
    return planes.reshape(n, in_y, in_x, c)


def avg_pool2d(x, size, stride, padding=0):
    """Twin of `kernels.avg_pool2d`: the mean of each window, padding counted as zeros."""
    (x,) = checks.floats(x=x)
    checks.rank("x", x, "n y x c")
    window = geometry.window(x.shape, size, stride, padding)
    out = np.zeros((len(x), window.out_y, window.out_x, x.shape[3]), x.dtype)
    for _, _, patch in taps(pad(x, window), window):
        out += patch
    return out / x.dtype.type(window.size_y * window.size_x)


def avg_pool2d_gradient(grad, input_shape, size, stride, padding=0):
    """Twin of `kernels.avg_pool2d_gradient`: each window's gradient is spread evenly over its pixels."""
    grad, input_shape, window = checks.avg_pool_gradient(grad, input_shape, size, stride, padding)
    padded = pad(np.zeros(input_shape, grad.dtype), window)
    share = grad / grad.dtype.type(window.size_y * window.size_x)
    for _, _, patch in taps(padded, window):
        patch += share
    return np.ascontiguousarray(crop(padded, window))
