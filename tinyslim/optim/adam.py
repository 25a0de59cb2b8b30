"""Adam, and AdamW, whose weight decay stands outside of the adaptive step."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tinyslim.autograd import Tensor

from .optimizer import Optimizer


class Adam(Optimizer):
    """m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; w ← w − lr · m̂ / (√v̂ + ε).

    Kingma, Ba 2015, algorithm 1; m̂ = m/(1−β₁ᵗ) and v̂ = v/(1−β₂ᵗ) undo that both begin at 0.

    Parameters
    ----------
    parameters, lr, weight_decay
        See `Optimizer`; the decay is part of the gradient g here.
    betas : tuple of float
    eps : float

    Examples
    --------
    >>> from tinyslim import Tensor, optim
    >>> x = Tensor(1.0, requires_grad=True)
    >>> optimizer = optim.Adam([x], lr=0.1)
    >>> (x * x).backward()
    >>> optimizer.step()
    >>> round(x.item(), 3)
    0.9
    """

    buffer_names = ("mean", "square")

    def __init__(self, parameters: Iterable[Tensor], lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(parameters, lr, weight_decay)
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"`betas` (={betas!r}) must each be at least 0 and below 1")
        self.betas, self.eps = tuple(betas), eps

    def update(self, parameter: Tensor, buffers: dict[str, np.ndarray]) -> None:
        real = parameter.dtype.type
        self._move(parameter, buffers, parameter.grad + real(self.decay(parameter)) * parameter.data)

    def _move(self, parameter: Tensor, buffers: dict[str, np.ndarray], gradient: np.ndarray) -> None:
        real = parameter.dtype.type
        (beta1, beta2), mean, square = self.betas, buffers["mean"], buffers["square"]
        mean += real(1 - beta1) * (gradient - mean)
        square += real(1 - beta2) * (gradient * gradient - square)
        mean_hat = mean / real(1 - beta1**self.steps)
        square_hat = square / real(1 - beta2**self.steps)
        parameter.data -= real(self.lr) * mean_hat / (np.sqrt(square_hat) + real(self.eps))


class AdamW(Adam):
    """Adam whose weights shrink by lr·weight_decay a step, whatever their gradients were.

    Loshchilov, Hutter 2019, algorithm 2.

    Examples
    --------
    >>> from tinyslim import Tensor, optim
    >>> x = Tensor(1.0, requires_grad=True)
    >>> optimizer = optim.AdamW([x], lr=0.1, weight_decay=0.0)
    >>> (x * x).backward()
    >>> optimizer.step()
    >>> round(x.item(), 3)
    0.9
    """

    def update(self, parameter: Tensor, buffers: dict[str, np.ndarray]) -> None:
        parameter.data *= parameter.dtype.type(1 - self.lr * self.decay(parameter))
        self._move(parameter, buffers, parameter.grad)
