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
    _check_grid(x, scale, qmin, qmax, axis)
    grid = scale, zero_point, qmin, qmax
    last = _to_last(x, axis)
    return _from_last(kernels.fake_quant(last, *grid), axis), each(
        lambda grad: _from_last(kernels.fake_quant_gradient(_to_last(grad, axis), last, *grid), axis)
    )


@operation("x", "scale")
def learned_fake_quant(x, scale, zero_point, qmin, qmax, gradient_scale=1.0, axis=None):
    """The same x̂, with a step s that is learned: LSQ (Esser et al. 2020).

    With v = x/s, and n = qmin − Z and p = qmax − Z the ends of the grid in steps, x̂ = s · round(clip(v, n, p)). With 1
    for the derivative of round, the product rule gives round(v) + s · (−x/s²) = round(v) − v where nothing is clipped:

        ∂x̂/∂s = round(v) − v  where n < v < p,  n where v ≤ n,  p where v ≥ p        (eq. 3),
        ∂x̂/∂x = 1  where n < v < p,  else 0                                          (eq. 5).

    A step's gradient is a sum over all that it rounds, so it outgrows a weight's by far; the paper multiplies it by
    `gradient_scale` = 1/√(N·p) for N numbers (§2.2).

    Parameters
    ----------
    x : Tensor
    scale : Tensor
        s, above 0: (), or one for each index along `axis`.
    zero_point, qmin, qmax, axis
        As `fake_quant` takes them.
    gradient_scale : float

    Examples
    --------
    >>> import tinyslim.functional as F
    >>> from tinyslim import Tensor
    >>> step = Tensor(0.5, requires_grad=True)
    >>> F.learned_fake_quant(Tensor([-9.0, 0.125, 0.9]), step, zero_point=0, qmin=-2, qmax=2).sum().backward()
    >>> float(step.grad)  # -2 of the first, which is clipped, -0.25 of the second and 0.2 of the third
    -2.049999952316284
    """
    _check_grid(x, scale, qmin, qmax, axis)
    grid = scale, zero_point, qmin, qmax
    last = _to_last(x, axis)

    def pull_back(grad, wanted):
        dx, dscale = kernels.learned_fake_quant_gradients(_to_last(grad, axis), last, *grid)
        return _from_last(dx, axis), dscale * x.dtype.type(gradient_scale)

    return _from_last(kernels.fake_quant(last, *grid), axis), pull_back


def _check_grid(x, scale, qmin: int, qmax: int, axis: int | None) -> None:
    if not qmin < qmax:
        raise ValueError(f"`qmin` (={qmin}) must be below `qmax` (={qmax})")
    if not np.all(np.asarray(scale) > 0):
        raise ValueError(f"`scale` (={scale!r}) must be above 0")
    expected = () if axis is None else (x.shape[axis],)
    if np.shape(scale) != expected:
        each_index = "a number" if axis is None else f"one for each index of axis {axis}"
        raise ValueError(f"`scale` has shape {np.shape(scale)}, expected {expected}: {each_index}")


def _to_last(x: np.ndarray, axis: int | None) -> np.ndarray:
    """`x` with `axis` at the end, where the kernels look for channels."""
    return x if axis is None or axis in (-1, x.ndim - 1) else np.ascontiguousarray(np.moveaxis(x, axis, -1))


def _from_last(x: np.ndarray, axis: int | None) -> np.ndarray:
    """`x` with its last axis back at `axis`."""
    return x if axis is None or axis in (-1, x.ndim - 1) else np.ascontiguousarray(np.moveaxis(x, -1, axis))
