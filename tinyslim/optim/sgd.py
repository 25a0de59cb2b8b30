"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tinyslim import kernels
from tinyslim.autograd import Tensor

from .optimizer import Optimizer


class SGD(Optimizer):
    """v ← m·v + g; w ← w − lr·v, or with Nesterov's look ahead w ← w − lr·(g + m·v).

    Sutskever et al. 2013, §2, in PyTorch's form (the learning rate stands outside of v). g is the gradient plus
    weight_decay·w.

    Parameters
    ----------
    parameters, lr, weight_decay
        See `Optimizer`.
    momentum : float
    nesterov : bool

    Examples
    --------
    >>> from tinyslim import Tensor, optim
    >>> w = Tensor([1.0], requires_grad=True)
    >>> sgd = optim.SGD([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> sgd.step()
    >>> w.data
    array([0.5], dtype=float32)
    """

    buffer_names = ("velocity",)

    def __init__(self, parameters: Iterable[Tensor], lr: float, momentum=0.0, nesterov=False, weight_decay=0.0):
        super().__init__(parameters, lr, weight_decay)
        if not 0 <= momentum < 1:
            raise ValueError(f"`momentum` (={momentum!r}) must be at least 0 and below 1")
        if nesterov and momentum == 0:
            raise ValueError("`nesterov` needs a `momentum` above 0")
        self.momentum, self.nesterov = momentum, nesterov

    def update(self, parameter: Tensor, buffers: dict[str, np.ndarray]) -> None:
        weight, velocity = parameter.data, buffers["velocity"]
        settings = self.lr, self.momentum, self.decay(parameter), self.nesterov
        kernels.momentum_step(weight, parameter.grad, velocity, *settings, out=(weight, velocity))
