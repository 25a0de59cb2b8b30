"""How weights begin: variances that keep a signal's size from layer to layer."""

from __future__ import annotations

import numpy as np

from tinyslim.autograd import Tensor

Seed = int | np.random.Generator


def he_normal(shape: tuple[int, ...], fan_in: int, seed: Seed) -> Tensor:
    """Normal numbers of variance 2/fan_in: a ReLU halves the second moment, the 2 restores it.

    He et al. 2015, eq. 10. `fan_in` is how many products each output sums.

    Examples
    --------
    >>> from tinyslim import nn
    >>> f"{nn.he_normal((3, 3, 64, 64), fan_in=3 * 3 * 64, seed=0).data.var() * (3 * 3 * 64):.1f}"
    '2.0'
    """
    rng = np.random.default_rng(seed)
    return parameter(rng.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / max(fan_in, 1))))


def lecun_uniform(shape: tuple[int, ...], fan_in: int, seed: Seed) -> Tensor:
    """Uniform numbers between ±1/√fan_in, for a last layer without a ReLU behind it.

    Examples
    --------
    >>> from tinyslim import nn
    >>> bool((abs(nn.lecun_uniform((64, 10), fan_in=64, seed=0).data) <= 1 / 8).all())
    True
    """
    rng = np.random.default_rng(seed)
    return parameter((2 * rng.random(shape, np.float32) - 1) * np.float32(1 / np.sqrt(max(fan_in, 1))))


def constant(size: int, value: float) -> Tensor:
    """`size` times `value`."""
    return parameter(np.full(size, value, np.float32))


def parameter(array: np.ndarray) -> Tensor:
    """A leaf that training changes."""
    return Tensor(array, requires_grad=True)
