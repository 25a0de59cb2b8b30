"""Pooling of floats: the largest or the mean of each window, and their gradients. A thread takes whole images."""

from __future__ import annotations

import numpy as np

from . import checks, geometry
from .buffers import empty
from .jit import compiled, prange
from .table import kernel
from .threads import run


@compiled(parallel=True)
def max_pool_images(x, window, out, argmax):
    """out, argmax (n, out_y, out_x, c) ← the largest of x (n, y, x, c) in each window, and y · width + x of it."""
    n, in_y, in_x, c = x.shape
    for item in prange(n * window.out_y):
        image, out_y = np.int64(item) // window.out_y, np.int64(item) % window.out_y
        first_y = out_y * window.stride - window.top
        for out_x in range(window.out_x):
            first_x = out_x * window.stride - window.left
            best, place = out[image, out_y, out_x], argmax[image, out_y, out_x]
            best[:] = -np.inf
            place[:] = -1
            for y in range(max(first_y, 0), min(first_y + window.size_y, in_y)):
                for x_place in range(max(first_x, 0), min(first_x + window.size_x, in_x)):
                    values, here = x[image, y, x_place], np.int32(y * in_x + x_place)
                    for j in range(c):
                        value = values[j]
                        better = (value > best[j]) | (value != value) | (place[j] < 0)
                        best[j] = value if better else best[j]
                        place[j] = here if better else place[j]


@compiled(parallel=True)
def max_pool_gradient_images(grad, argmax, out):
    """out (n, y · x, c), zeros ← grad (n, outputs, c) added where argmax points."""
    n, outputs, c = grad.shape
    for item in prange(n):
        image = np.int64(item)
        for output in range(outputs):
            for j in range(c):
                out[image, argmax[image, output, j], j] += grad[image, output, j]


@compiled(parallel=True)
def avg_pool_images(x, window, out):
    """out (n, out_y, out_x, c) ← the mean of x (n, y, x, c) in each window, with zeros for padding."""
    n, in_y, in_x, c = x.shape
    count = x.dtype.type(window.size_y * window.size_x)
    for item in prange(n * window.out_y):
        image, out_y = np.int64(item) // window.out_y, np.int64(item) % window.out_y
        first_y = out_y * window.stride - window.top
        for out_x in range(window.out_x):
            first_x = out_x * window.stride - window.left
            total = out[image, out_y, out_x]
            total[:] = 0
            for y in range(max(first_y, 0), min(first_y + window.size_y, in_y)):
                for x_place in range(max(first_x, 0), min(first_x + window.size_x, in_x)):
                    values = x[image, y, x_place]
                    for j in range(c):
                        total[j] += values[j]
            for j in range(c):
                total[j] /= count


@compiled(parallel=True)
def avg_pool_gradient_images(grad, window, out):
    """out (n, y, x, c), zeros ← grad (n, out_y, out_x, c), spread evenly over each window."""
    _, in_y, in_x, c = out.shape
    count = grad.dtype.type(window.size_y * window.size_x)
    for item in prange(len(out)):
        image = np.int64(item)
        for out_y in range(window.out_y):
            first_y = out_y * window.stride - window.top
            for out_x in range(window.out_x):
                first_x = out_x * window.stride - window.left
                share = grad[image, out_y, out_x]
                for y in range(max(first_y, 0), min(first_y + window.size_y, in_y)):
                    for x_place in range(max(first_x, 0), min(first_x + window.size_x, in_x)):
                        target = out[image, y, x_place]
                        for j in range(c):
                            target[j] += share[j] / count


@kernel
def max_pool2d(x, size, stride, padding=0):
    """The largest value of each window, and where it lies. A NaN counts as the largest.

    Parameters
    ----------
    x : float array (n, y, x, c)
    size : int or (height, width)
    stride : int
    padding : int, (top, bottom, left, right) or "same", below `size`; padding never is the largest

    Returns
    -------
    out : array (n, out_y, out_x, c) of x's dtype
    argmax : int32 array of the same shape: y · width + x in the image's plane
    """
    (x,) = checks.floats(x=x)
    window = checks.max_pool_window(x, size, stride, padding)
    out = empty((len(x), window.out_y, window.out_x, x.shape[3]), x.dtype)
    argmax = np.empty(out.shape, np.int32)
    run(x.size, max_pool_images, x, window, out, argmax)
    return out, argmax


@kernel
def max_pool2d_gradient(grad, argmax, input_shape):
    """The gradient of `max_pool2d`'s input: each window's goes to the pixel that was its largest.

    Parameters
    ----------
    grad : float array (n, out_y, out_x, c)
    argmax : int32 array of the same shape, from `max_pool2d`
    input_shape : (n, y, x, c)

    Returns
    -------
    array of `input_shape`, of grad's dtype
    """
    grad, argmax, input_shape = checks.max_pool_gradient(grad, argmax, input_shape)
    n, in_y, in_x, c = input_shape
    out_y, out_x = grad.shape[1:3]
    out = np.zeros((n, in_y * in_x, c), grad.dtype)
    run(out.size, max_pool_gradient_images, grad.reshape(n, out_y * out_x, c), argmax.reshape(n, out_y * out_x, c), out)
    return out.reshape(input_shape)


@kernel
def avg_pool2d(x, size, stride, padding=0):
    """The mean of each window; padding counts, as zeros.

    Parameters
    ----------
    x : float array (n, y, x, c)
    size : int or (height, width)
    stride : int
    padding : int, (top, bottom, left, right) or "same"

    Returns
    -------
    array (n, out_y, out_x, c) of x's dtype

    Examples
    --------
    >>> avg_pool2d(np.ones((1, 4, 4, 1)), size=2, stride=2).ravel().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    (x,) = checks.floats(x=x)
    checks.rank("x", x, "n y x c")
    window = geometry.window(x.shape, size, stride, padding)
    out = empty((len(x), window.out_y, window.out_x, x.shape[3]), x.dtype)
    run(x.size, avg_pool_images, x, window, out)
    return out


@kernel
def avg_pool2d_gradient(grad, input_shape, size, stride, padding=0):
    """The gradient of `avg_pool2d`'s input: each window's, spread evenly over its pixels.

    Parameters
    ----------
    grad : float array (n, out_y, out_x, c)
    input_shape : (n, y, x, c)
    size, stride, padding : as `avg_pool2d` took them

    Returns
    -------
    array of `input_shape`, of grad's dtype
    """
    grad, input_shape, window = checks.avg_pool_gradient(grad, input_shape, size, stride, padding)
    out = np.zeros(input_shape, grad.dtype)
    run(out.size, avg_pool_gradient_images, grad, window, out)
    return out
