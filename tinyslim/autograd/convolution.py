"""Convolutions and the linear layer: the forward kernel, and the two kernels that are its transposes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tinyslim import kernels

from .arithmetic import product
from .operations import each, operation


@operation("x", "weight", "bias", formulas=True)
def conv2d(x, weight, bias=None, stride=1, padding=0):
    """(n, in_y, in_x, cin) ⋆ (filter_y, filter_x, cin, cout) → (n, out_y, out_x, cout), plus `bias` (cout,).

    It is linear in `x` and in `weight`, so each gradient is the transpose of the same linear map.

    Parameters
    ----------
    x, weight, bias
        Tensors of one dtype; `bias` may be None.
    stride : int
    padding
        An int, ``(top, bottom, left, right)``, or "same" as TensorFlow counts it.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> x, weight = Tensor(np.ones((1, 5, 5, 2))), Tensor(np.ones((3, 3, 2, 4)))
    >>> F.conv2d(x, weight, stride=2, padding=1).data[0, :, :, 0]
    array([[ 8., 12.,  8.],
           [12., 18., 12.],
           [ 8., 12.,  8.]])
    """
    singles = each(
        lambda grad: kernels.conv2d_input_gradient(grad, weight, x.shape, stride, padding),
        lambda grad: kernels.conv2d_weight_gradient(x, grad, weight.shape, stride, padding),
        kernels.channel_sums,
    )
    together = partial(kernels.conv2d_gradients, x, weight=weight, stride=stride, padding=padding)
    return kernels.conv2d(x, weight, bias, stride, padding), _sharing_loads(together, singles)


@operation("x", "weight", "bias", formulas=True)
def depthwise_conv2d(x, weight, bias=None, stride=1, padding=0):
    """Each channel with a filter of its own: (n, in_y, in_x, c) ⋆ (filter_y, filter_x, c) → (n, out_y, out_x, c).

    The spatial half of a depthwise separable convolution (Howard et al. 2017, §3.1). Arguments as `conv2d`.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> x, weight = Tensor(np.ones((1, 5, 5, 2))), Tensor(np.ones((3, 3, 2)))
    >>> F.depthwise_conv2d(x, weight).data[0, :, :, 1]
    array([[9., 9., 9.],
           [9., 9., 9.],
           [9., 9., 9.]])
    """
    singles = each(
        lambda grad: kernels.depthwise_conv2d_input_gradient(grad, weight, x.shape, stride, padding),
        lambda grad: kernels.depthwise_conv2d_weight_gradient(x, grad, weight.shape, stride, padding),
        kernels.channel_sums,
    )
    together = partial(kernels.depthwise_conv2d_gradients, x, weight=weight, stride=stride, padding=padding)
    return kernels.depthwise_conv2d(x, weight, bias, stride, padding), _sharing_loads(together, singles)


def _sharing_loads(together: Callable, singles: Callable) -> Callable:
    """A `pull_back` that asks for the gradients of x and weight together where both are wanted."""

    def pull_back(grad, wanted):
        if not (wanted[0] and wanted[1]):
            return singles(grad, wanted)
        bias = kernels.channel_sums(grad) if wanted[2] else None
        return *together(grad), bias

    return pull_back


@operation("x", "weight", "bias")
def linear(x, weight, bias=None):
    """x @ weight + bias: (n, in) @ (in, out) → (n, out).

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.linear(Tensor([[1.0, 2.0]]), Tensor([[1.0], [1.0]]), Tensor([0.5])).data
    array([[3.5]], dtype=float32)
    """
    if x.ndim != 2 or weight.ndim != 2 or x.shape[1] != weight.shape[0]:
        raise ValueError(f"`x` (n, in) has shape {x.shape}, `weight` (in, out) {weight.shape}: they don't fit")
    if bias is not None and bias.shape != weight.shape[1:]:
        raise ValueError(f"`bias` has shape {bias.shape}, expected {weight.shape[1:]}: one number an output")
    y = product(x, weight)
    if bias is not None:
        y += bias
    return y, each(
        lambda grad: product(grad, weight.T),
        lambda grad: product(x.T, grad),
        lambda grad: np.sum(grad, axis=0),
    )
