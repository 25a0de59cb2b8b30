"""Fake quantisation: round to the grid of an integer type, stay in floating point, let the gradient pass."""

from __future__ import annotations

import numpy as np

from tinyslim import kernels

from .operations import each, operation


@operation("x")
def fake_quant(x, scale, zero_point, qmin, qmax, axis=None):
    """x̂ = (clip(round(x/s) + Z, qmin, qmax) − Z) · s: the number that the integer nearest to x stands for.

    Jacob et al. 2018, eq. 12. Rounding has no useful derivative, so the gradient passes straight through it, and is cut
    off where the clip holds (Bengio et al. 2013, §4).

    Parameters
    ----------
    x : Tensor
    scale : float or numpy.ndarray
        The step s of the grid, above 0; an array has one for each index along `axis`.
    zero_point : int
        The integer Z that stands for 0.
    qmin, qmax : int
        The integer type's range.
    axis : int, optional
        The axis of `x` along which scales differ, usually the output channels of a weight.

    Examples
    --------
    >>> import tinyslim.functional as F
    >>> from tinyslim import Tensor
    >>> F.fake_quant(Tensor([-9.0, -0.3, 0.2, 0.9]), scale=0.5, zero_point=0, qmin=-2, qmax=2).data
    array([-1. , -0.5,  0. ,  1. ], dtype=float32)
    """
    if not qmin < qmax:
        raise ValueError(f"`qmin` (={qmin}) must be below `qmax` (={qmax})")
    if not np.all(np.asarray(scale) > 0):
        raise ValueError(f"`scale` (={scale!r}) must be above 0")
    if axis is None:
        return kernels.fake_quant(x, scale, zero_point, qmin, qmax), each(
            lambda grad: kernels.fake_quant_gradient(grad, x, scale, zero_point, qmin, qmax)
        )
    step = _along(np.asarray(scale, x.dtype), axis, x)
    q = np.rint(x / step) + zero_point
    inside = (q >= qmin) & (q <= qmax)
    return (np.clip(q, qmin, qmax) - zero_point) * step, each(lambda grad: grad * inside)


def _along(scale: np.ndarray, axis: int, x: np.ndarray) -> np.ndarray:
    """`scale` shaped so that it broadcasts along `axis` of `x`."""
    if scale.shape != (x.shape[axis],):
        raise ValueError(
            f"`scale` has shape {scale.shape}, expected ({x.shape[axis]},): one for each index of axis {axis}"
        )
    shape = [1] * x.ndim
    shape[axis] = -1
    return scale.reshape(shape)
