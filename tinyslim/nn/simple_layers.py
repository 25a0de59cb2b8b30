"""Layers without weights: activations, pooling, flatten, dropout; and Sequential, which calls others in order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import tinyslim.functional as F
from tinyslim.autograd import Tensor

from .layer import Layer
from .module import Module


class ReLU(Layer):
    """max(x, 0).

    Examples
    --------
    >>> from tinyslim import Tensor, nn
    >>> nn.ReLU()(Tensor([-1.0, 2.0])).data
    array([0., 2.], dtype=float32)
    """

    op = "relu"

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x)


class ReLU6(Layer):
    """min(max(x, 0), 6).

    Examples
    --------
    >>> from tinyslim import Tensor, nn
    >>> nn.ReLU6()(Tensor([-1.0, 2.0, 8.0])).data
    array([0., 2., 6.], dtype=float32)
    """

    op = "relu6"

    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(x)


class Sigmoid(Layer):
    """1 / (1 + e⁻ˣ).

    Examples
    --------
    >>> from tinyslim import Tensor, nn
    >>> nn.Sigmoid()(Tensor([0.0])).data
    array([0.5], dtype=float32)
    """

    op = "sigmoid"

    def forward(self, x: Tensor) -> Tensor:
        return F.sigmoid(x)


class Tanh(Layer):
    """The hyperbolic tangent.

    Examples
    --------
    >>> from tinyslim import Tensor, nn
    >>> nn.Tanh()(Tensor([0.0])).data
    array([0.], dtype=float32)
    """

    op = "tanh"

    def forward(self, x: Tensor) -> Tensor:
        return F.tanh(x)


class MaxPool2d(Layer):
    """The largest of each window; `stride` defaults to `size`.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor, nn
    >>> nn.MaxPool2d(3, stride=2, padding=1)(Tensor(np.zeros((1, 8, 8, 4)))).shape
    (1, 4, 4, 4)
    """

    op = "max_pool2d"
    settings = ("size", "stride", "padding")

    def __init__(self, size: int, stride: int | None = None, padding=0):
        self.size, self.stride, self.padding = size, size if stride is None else stride, padding

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, self.size, self.stride, self.padding)


class AvgPool2d(Layer):
    """The mean of each window, padding counted; `stride` defaults to `size`.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor, nn
    >>> nn.AvgPool2d(2)(Tensor(np.zeros((1, 8, 8, 4)))).shape
    (1, 4, 4, 4)
    """

    op = "avg_pool2d"
    settings = ("size", "stride", "padding")

    def __init__(self, size: int, stride: int | None = None, padding=0):
        self.size, self.stride, self.padding = size, size if stride is None else stride, padding

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, self.size, self.stride, self.padding)


class GlobalAvgPool2d(Layer):
    """The mean over the whole image: (n, y, x, c) → (n, c).

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor, nn
    >>> nn.GlobalAvgPool2d()(Tensor(np.zeros((1, 8, 8, 4)))).shape
    (1, 4)
    """

    op = "global_avg_pool2d"

    def forward(self, x: Tensor) -> Tensor:
        return F.global_avg_pool2d(x)


class Flatten(Layer):
    """(n, …) → (n, everything else).

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor, nn
    >>> nn.Flatten()(Tensor(np.zeros((2, 3, 3, 4)))).shape
    (2, 36)
    """

    op = "flatten"

    def forward(self, x: Tensor) -> Tensor:
        return F.flatten(x)


class Dropout(Layer):
    """In training each element is 0 with probability `p`, and the others grow by 1/(1−p).

    The random numbers follow from `seed` and from how often the layer was called in training. That count is a buffer,
    so that training resumed from a checkpoint draws the same numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor, nn
    >>> layer = nn.Dropout(0.5).eval()  # in training, half of the elements become 0
    >>> layer(Tensor(np.ones(3))).data
    array([1., 1., 1.])
    """

    op = "dropout"
    settings = ("p", "seed")

    def __init__(self, p: float = 0.5, seed: int = 0):
        if not 0 <= p < 1:
            raise ValueError(f"`p` (={p!r}) must be at least 0 and below 1")
        self.p, self.seed = p, seed
        self.calls = np.zeros((), np.int64)

    def forward(self, x: Tensor) -> Tensor:
        rng = np.random.default_rng((self.seed, int(self.calls)))
        self.calls += self.training
        return F.dropout(x, self.p, rng, self.training)


class Sequential(Module):
    """Modules called one after the other.

    Examples
    --------
    >>> from tinyslim import nn
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> net([[[1, 2], [3, 4]]]).shape
    (1, 2)
    """

    def __init__(self, *modules: Module):
        for index, module in enumerate(modules):
            if not isinstance(module, Module):
                raise TypeError(f"`modules[{index}]` (={module!r}) must be a Module")
            setattr(self, str(index), module)

    def __iter__(self) -> Iterator[Module]:
        return (child for _, child in self.children())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, index: int) -> Module:
        return list(self)[index]

    def forward(self, x: Tensor) -> Tensor:
        for module in self:
            x = module(x)
        return x
