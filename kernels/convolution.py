"""Two-dimensional convolution of floats and its two gradients, and the matrix product, which is one of a single tap."""

from __future__ import annotations

import numpy as np

from . import checks
from .correlation import weight_gradient
from .geometry import Window
from .jit import compiled, prange
from .matrix_product import product, transposed_product
from .panels import Matrix, multiply, pack, padded
from .table import kernel
from .threads import run
from .walk import (
    Walk,
    band_input,
    forward_walk,
    gradient_walks,
    input_line,
    input_size,
    output_offsets,
    pixel_offsets,
)


@compiled(parallel=True)
def convolve(x, walk, panels, start, out, pixels, outputs):
    """out (n, y, x, cout) ← x (n, y, x, cin) ⋆ packed (filter_y·filter_x·cin, cout), a band of an image at a time."""
    _, image_y, image_x, cout = out.shape
    flat = out.reshape(-1)
    line = input_line(x, walk)
    depth = (walk.size_y, line, walk.size_x * x.shape[3], 1)
    bands = (walk.out_y + walk.band - 1) // walk.band
    for item in prange(len(x) * bands):
        image, first = np.int64(item) // bands, np.int64(item) % bands * walk.band
        band = np.empty(input_size(x, walk), x.dtype)
        left, left_at = band_input(x, image, walk, first, band)
        out_at = ((image * image_y + walk.origin_y + first * walk.step) * image_x + walk.origin_x) * cout
        count = min(walk.band, walk.out_y - first) * walk.out_x
        multiply(left, left_at, pixels, count, depth, panels, start, 0, 0, flat, out_at, outputs, cout)


def convolve_into(out: np.ndarray, x: np.ndarray, walk: Walk, weight: Matrix, bias: np.ndarray | None = None) -> None:
    """`convolve` with a filter (filter_y·filter_x·cin, cout) that is still to be packed."""
    tables = pixel_offsets(walk, x.shape[3]), output_offsets(walk, out.shape)
    work = out.size * weight.rows
    run(work, convolve, x, walk, pack(weight), padded(bias, out.shape[3], x.dtype), out, *tables)


def is_pointwise(window: Window) -> bool:
    """Whether each output pixel sees one input pixel and each input pixel one output: a matrix product."""
    return window[:7] == (1, 1, 1, 0, 0, 0, 0)


@kernel
def gemm(a, b):
    """The matrix product (m, k) · (k, n) → (m, n).

    The transpose of a contiguous matrix is multiplied as it lies in memory, without a copy.

    Parameters
    ----------
    a : float array (m, k)
    b : array (k, n)

    Returns
    -------
    array (m, n) of a's dtype

    Examples
    --------
    >>> gemm(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]])).tolist()
    [[11.0]]
    """
    a, b = checks.gemm(a, b)
    if a.flags.carray or 0 in a.shape:
        return product(a, Matrix.of(b))
    return transposed_product(a.T, np.ascontiguousarray(b))


@kernel
def conv2d(x, weight, bias=None, stride=1, padding=0):
    """Two-dimensional convolution: (n, y, x, cin) ⋆ (filter_y, filter_x, cin, cout) → (n, out_y, out_x, cout).

    Parameters
    ----------
    x : float array (n, y, x, cin)
    weight : array (filter_y, filter_x, cin, cout)
    bias : array (cout,) or None
    stride : int
    padding : int, (top, bottom, left, right) or "same" as TensorFlow counts it

    Returns
    -------
    array (n, out_y, out_x, cout) of x's dtype

    Examples
    --------
    >>> conv2d(np.ones((1, 5, 5, 2)), np.ones((3, 3, 2, 4)), stride=2, padding=1)[0, :, :, 0].tolist()
    [[8.0, 12.0, 8.0], [12.0, 18.0, 12.0], [8.0, 12.0, 8.0]]
    """
    x, weight, bias, window = checks.conv2d(x, weight, bias, stride, padding)
    cin, cout = weight.shape[2:]
    if is_pointwise(window):
        return product(x.reshape(-1, cin), Matrix.of(weight.reshape(cin, cout)), bias).reshape(*x.shape[:3], cout)
    out = np.empty((len(x), window.out_y, window.out_x, cout), x.dtype)
    convolve_into(out, x, forward_walk(x.shape, window, cin), Matrix.of(weight.reshape(-1, cout)), bias)
    return out


@kernel
def conv2d_input_gradient(grad, weight, input_shape, stride=1, padding=0):
    """The gradient of `conv2d`'s x: for each pixel the sum over the outputs that saw it.

    With stride s it falls into s² convolutions of stride 1 with every s-th tap (see `walk.phases`).

    Parameters
    ----------
    grad : float array (n, out_y, out_x, cout), the gradient of the output
    weight : array (filter_y, filter_x, cin, cout)
    input_shape : (n, y, x, cin)
    stride, padding : as the forward pass took them

    Returns
    -------
    array of `input_shape`, of grad's dtype
    """
    grad, weight, input_shape, window = checks.conv2d_input_gradient(grad, weight, input_shape, stride, padding)
    cin, cout = weight.shape[2:]
    if is_pointwise(window):
        return product(grad.reshape(-1, cout), Matrix.of(weight.reshape(cin, cout).T)).reshape(input_shape)
    out = np.empty(input_shape, grad.dtype)
    for walk, taps in gradient_walks(input_shape, window, cout):
        turned = weight[taps][::-1, ::-1].transpose(0, 1, 3, 2).reshape(-1, cin)
        convolve_into(out, grad, walk, Matrix.of(turned))
    return out


@kernel
def conv2d_weight_gradient(x, grad, weight_shape, stride=1, padding=0):
    """The gradient of `conv2d`'s weight: for each tap the sum over the pixels that it met.

    Parameters
    ----------
    x : float array (n, y, x, cin)
    grad : array (n, out_y, out_x, cout), the gradient of the output
    weight_shape : (filter_y, filter_x, cin, cout)
    stride, padding : as the forward pass took them

    Returns
    -------
    array of `weight_shape`, of x's dtype
    """
    x, grad, weight_shape, window = checks.conv2d_weight_gradient(x, grad, weight_shape, stride, padding)
    cin, cout = weight_shape[2:]
    if is_pointwise(window):
        return transposed_product(x.reshape(-1, cin), grad.reshape(-1, cout)).reshape(weight_shape)
    return weight_gradient(x, forward_walk(x.shape, window, cin), grad).reshape(weight_shape)
