"""Plain twins of fake quantisation: on to the integers' grid and back."""

from __future__ import annotations

import numpy as np

from .. import checks


def fake_quant(x, scale, zero_point, qmin, qmax):
    """Twin of `kernels.fake_quant`."""
    (x,) = checks.floats(x=x)
    scale, zero_point, qmin, qmax = checks.fake_quant(x, scale, zero_point, qmin, qmax)
    quantized = np.clip(np.rint(x / scale) + zero_point, qmin, qmax)
    return (quantized - zero_point) * scale


def fake_quant_gradient(grad, x, scale, zero_point, qmin, qmax):
    """Twin of `kernels.fake_quant_gradient`."""
    grad, x = checks.floats(grad=grad, x=x)
    checks.shape("grad", grad, x.shape)
    scale, zero_point, qmin, qmax = checks.fake_quant(x, scale, zero_point, qmin, qmax)
    unclipped = np.rint(x / scale) + zero_point
    return np.where((unclipped >= qmin) & (unclipped <= qmax), grad, grad.dtype.type(0))


def learned_fake_quant_gradients(grad, x, scale, zero_point, qmin, qmax):
    """Twin of `kernels.learned_fake_quant_gradients`."""
    grad, x = checks.floats(grad=grad, x=x)
    checks.shape("grad", grad, x.shape)
    shape = np.shape(scale)
    scale, zero_point, qmin, qmax = checks.fake_quant(x, scale, zero_point, qmin, qmax)
    low, high, ratio = qmin - zero_point, qmax - zero_point, x / scale
    slope = np.where(ratio <= low, low, np.where(ratio >= high, high, np.rint(ratio) - ratio))
    inside = (ratio > low) & (ratio < high)
    sums = (grad * slope).reshape(-1, len(scale)).sum(axis=0, dtype=np.float64)
    return np.where(inside, grad, grad.dtype.type(0)), sums.astype(x.dtype).reshape(shape)


def abs_max(x):
    """Twin of `kernels.abs_max`."""
    (x,) = checks.floats(x=x)
    return float(np.abs(x).max(initial=0.0))
