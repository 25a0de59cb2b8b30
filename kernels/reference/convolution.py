"""Plain twins of the matrix product and of the convolutions: a loop over the filter's taps, NumPy over the rest."""

from __future__ import annotations

import numpy as np

from .. import checks
from .windows import crop, pad, taps


def gemm(a, b):
    """Twin of `kernels.gemm`: (m, k) @ (k, n) → (m, n)."""
    a, b = checks.gemm(a, b)
    return a @ b


def conv2d(x, weight, bias=None, stride=1, padding=0):
    """Twin of `kernels.conv2d`: (n, y, x, cin) ⋆ (filter_y, filter_x, cin, cout) → (n, out_y, out_x, cout)."""
    x, weight, bias, window = checks.conv2d(x, weight, bias, stride, padding)
    out = np.zeros((len(x), window.out_y, window.out_x, weight.shape[3]), x.dtype)
    for filter_y, filter_x, patch in taps(pad(x, window), window):
        out += patch @ weight[filter_y, filter_x]
    return out if bias is None else out + bias


def conv2d_gradients(x, grad, weight, stride=1, padding=0):
    """Twin of `kernels.conv2d_gradients`: one after the other."""
    x, grad, weight, _ = checks.conv2d_gradients(x, grad, weight, stride, padding)
    dx = conv2d_input_gradient(grad, weight, x.shape, stride, padding)
    return dx, conv2d_weight_gradient(x, grad, weight.shape, stride, padding)


def conv2d_input_gradient(grad, weight, input_shape, stride=1, padding=0):
    """Twin of `kernels.conv2d_input_gradient`: each tap hands its share of `grad` back to the pixels that it met."""
    grad, weight, input_shape, window = checks.conv2d_input_gradient(grad, weight, input_shape, stride, padding)
    padded = pad(np.zeros(input_shape, grad.dtype), window)
    for filter_y, filter_x, patch in taps(padded, window):
        patch += grad @ weight[filter_y, filter_x].T
    return np.ascontiguousarray(crop(padded, window))


def conv2d_weight_gradient(x, grad, weight_shape, stride=1, padding=0):
    """Twin of `kernels.conv2d_weight_gradient`: each tap correlates the pixels that it met with `grad`."""
    x, grad, weight_shape, window = checks.conv2d_weight_gradient(x, grad, weight_shape, stride, padding)
    weight_gradient = np.zeros(weight_shape, x.dtype)
    for filter_y, filter_x, patch in taps(pad(x, window), window):
        weight_gradient[filter_y, filter_x] = np.tensordot(patch, grad, axes=([0, 1, 2], [0, 1, 2]))
    return weight_gradient


def depthwise_conv2d(x, weight, bias=None, stride=1, padding=0):
    """Twin of `kernels.depthwise_conv2d`: (n, y, x, c) ⋆ (filter_y, filter_x, c) → (n, out_y, out_x, c)."""
    x, weight, bias, window = checks.depthwise_conv2d(x, weight, bias, stride, padding)
    out = np.zeros((len(x), window.out_y, window.out_x, x.shape[3]), x.dtype)
    for filter_y, filter_x, patch in taps(pad(x, window), window):
        out += patch * weight[filter_y, filter_x]
    return out if bias is None else out + bias


def depthwise_conv2d_gradients(x, grad, weight, stride=1, padding=0):
    """Twin of `kernels.depthwise_conv2d_gradients`: one after the other."""
    x, grad, weight, _ = checks.depthwise_conv2d_gradients(x, grad, weight, stride, padding)
    dx = depthwise_conv2d_input_gradient(grad, weight, x.shape, stride, padding)
    return dx, depthwise_conv2d_weight_gradient(x, grad, weight.shape, stride, padding)


def depthwise_conv2d_input_gradient(grad, weight, input_shape, stride=1, padding=0):
    """Twin of `kernels.depthwise_conv2d_input_gradient`."""
    arguments = checks.depthwise_conv2d_input_gradient(grad, weight, input_shape, stride, padding)
    grad, weight, input_shape, window = arguments
    padded = pad(np.zeros(input_shape, grad.dtype), window)
    for filter_y, filter_x, patch in taps(padded, window):
        patch += grad * weight[filter_y, filter_x]
    return np.ascontiguousarray(crop(padded, window))


def depthwise_conv2d_weight_gradient(x, grad, weight_shape, stride=1, padding=0):
    """Twin of `kernels.depthwise_conv2d_weight_gradient`."""
    x, grad, weight_shape, window = checks.depthwise_conv2d_weight_gradient(x, grad, weight_shape, stride, padding)
    weight_gradient = np.zeros(weight_shape, x.dtype)
    for filter_y, filter_x, patch in taps(pad(x, window), window):
        weight_gradient[filter_y, filter_x] = (patch * grad).sum(axis=(0, 1, 2))
    return weight_gradient
