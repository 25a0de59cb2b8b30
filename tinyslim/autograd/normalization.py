"""Batch normalisation (Ioffe, Szegedy 2015, algorithm 1)."""

from __future__ import annotations

import numpy as np

from tinyslim import kernels

from .operations import operation


def batch_norm(x, gamma, beta, mean, var, training: bool, momentum: float = 0.1, eps: float = 1e-5):
    """γ · (x − μ) / √(σ² + ε) + β for each channel (the last axis).

    In training μ and σ² are those of this batch, and the running arrays move towards them, in place; otherwise they are
    the running arrays.

    Parameters
    ----------
    x : Tensor
        (…, c).
    gamma, beta : Tensor
        (c,).
    mean, var : numpy.ndarray
        Running statistics (c,). `var` takes up the unbiased variance, as in PyTorch.
    training : bool
    momentum : float
        The share of the new statistics in the running ones.
    eps : float

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> x, one, zero = Tensor([[1.0], [3.0]]), Tensor([1.0]), Tensor([0.0])
    >>> F.batch_norm(x, one, zero, np.zeros(1), np.ones(1), training=True, eps=0.0).data
    array([[-1.],
           [ 1.]], dtype=float32)
    """
    if not training:
        return _batch_norm_inference(x, gamma, beta, mean=mean, var=var, eps=eps)
    count = x.size // max(x.shape[-1], 1)
    if count < 2:
        raise ValueError(f"batch norm in training needs at least two values a channel, but `x` has shape {x.shape}")
    measured = isinstance(x.value, kernels.Measured)
    batch_mean, batch_var = (x.value.mean, x.value.var) if measured else kernels.batch_norm_statistics(x.data)
    mean += momentum * (batch_mean - mean)
    var += momentum * (batch_var * (count / (count - 1)) - var)
    return _batch_norm_training(x, gamma, beta, mean=batch_mean, var=batch_var, eps=eps)


@operation("x", "gamma", "beta", name="batch_norm_training", formulas=True)
def _batch_norm_training(x, gamma, beta, mean, var, eps):
    """μ and σ² depend on x, so their derivatives are part of the input's gradient.

    With x̂ = (x − μ)/σ over N pixels: dβ = Σ g, dγ = Σ g·x̂ and dx = γ/σ · (g − dβ/N − x̂·dγ/N), which is a·g + b·x + d
    with a = γ/σ, b = −a·dγ/(σ·N), d = −a·dβ/N − b·μ. Forward and backward are formulas of a few numbers a channel: they
    are left to the convolutions that read them, and so is the clipping by a ReLU in between.
    """
    x = kernels.written(x)
    inverse_std = 1 / np.sqrt(var + x.dtype.type(eps))
    scale = gamma * inverse_std
    result = kernels.Normalized(x, scale, beta - mean * scale, mean=mean)

    def pull_back(grad, wanted):
        passed = grad if isinstance(grad, kernels.PassedGradient) else kernels.PassedGradient(grad, result)
        dbeta, products = passed.sums(mean)
        dgamma, count = products * inverse_std, x.size // x.shape[-1]
        b = -scale * inverse_std * dgamma / count
        d = -scale * dbeta / count - b * mean
        return kernels.NormalizedGradient(passed.grad, passed.of, scale, b, d), dgamma, dbeta

    return result, pull_back


@operation("x", "gamma", "beta", name="batch_norm")
def _batch_norm_inference(x, gamma, beta, mean, var, eps):
    """μ and σ² are constants: an affine map of each channel."""
    inverse_std = (1 / np.sqrt(var + eps)).astype(x.dtype)
    scale = gamma * inverse_std

    def pull_back(grad, wanted):
        sums = kernels.channel_sums(grad)
        products = kernels.channel_sums(grad * x) if wanted[1] else None
        return (
            kernels.scale_shift(grad, scale, np.zeros_like(scale)) if wanted[0] else None,
            (products - mean.astype(x.dtype) * sums) * inverse_std if wanted[1] else None,
            sums,
        )

    return kernels.Normalized(x, scale, beta - mean.astype(x.dtype) * scale), pull_back
