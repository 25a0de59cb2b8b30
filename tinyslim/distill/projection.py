"""1×1 convolutions that bring a student's channels to its teacher's number, while it learns."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np

import tinyslim.functional as F
from tinyslim.autograd import Tensor
from tinyslim.nn import he_normal


class Projections:
    """Linear maps of channels, made when the first features come and learned with the student.

    Romero et al. 2015, "FitNets", §2.2: a regressor on the student's hint layer, thrown away when the student has
    learned. A projection whose student has changed its number of channels, after a cut, begins anew.

    Parameters
    ----------
    seed : int
        Of the first weights.
    weights : dict of Tensor, optional
        (1, 1, student's channels, teacher's) by name: those that an earlier process learned.
    on_new
        Called with `weights` whenever one was added: the place to tell an optimizer.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor, distill
    >>> projections = distill.Projections()
    >>> projections("a → b", Tensor(np.ones((2, 4, 4, 8))), 16).shape, projections.weights["a → b"].shape
    ((2, 4, 4, 16), (1, 1, 8, 16))
    """

    def __init__(
        self,
        seed: int = 0,
        weights: dict[str, Tensor] | None = None,
        on_new: Callable[[dict[str, Tensor]], None] = lambda weights: None,
    ):
        self.seed, self.weights, self.on_new = seed, {} if weights is None else weights, on_new

    def __call__(self, name: str, features: Tensor, channels: int) -> Tensor:
        """`features` (n, h, w, c) with so many channels."""
        cin = features.shape[3]
        weight = self.weights.get(name)
        if weight is None or weight.shape != (1, 1, cin, channels):
            # A generator for each name: what one projection begins with doesn't depend on how many came before it.
            rng = np.random.default_rng((self.seed, zlib.crc32(name.encode())))
            weight = he_normal((1, 1, cin, channels), cin, rng)
            weight.data = weight.data.astype(features.dtype)
            self.weights[name] = weight
            self.on_new(self.weights)
        return F.conv2d(features, weight)
