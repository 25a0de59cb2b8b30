"""Layers with weights: convolutions, the linear layer, batch norm."""

from __future__ import annotations

import numpy as np

import tinyslim.functional as F
from tinyslim.autograd import Tensor

from .init import Seed, constant, he_normal, lecun_uniform
from .layer import Layer


def _check_sizes(**sizes: int) -> None:
    for name, value in sizes.items():
        if not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"`{name}` (={value!r}) must be a whole number of at least 1")


class Conv2d(Layer):
    """Convolution of all channels with all channels: (n, y, x, cin) → (n, y', x', cout).

    Parameters
    ----------
    cin, cout, size : int
        Channels in and out, and the side of the square filter.
    stride : int
    padding
        An int, ``(top, bottom, left, right)``, or "same" as TensorFlow counts it.
    bias : bool
        Whether a number is added to each channel; batch norm behind the layer makes it useless.
    seed : int or numpy.random.Generator
        Layers of one shape and seed begin equal: hand one Generator to all layers of a network.

    Attributes
    ----------
    weight, bias : Tensor
        (size, size, cin, cout) and (cout,) or None.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor, nn
    >>> layer = nn.Conv2d(3, 16, 3, stride=2, padding=1)
    >>> layer.weight.shape, layer(Tensor(np.zeros((1, 32, 32, 3)))).shape
    ((3, 3, 3, 16), (1, 16, 16, 16))
    """

    op = "conv2d"
    settings = ("stride", "padding")
    bias: Tensor | None = None

    def __init__(self, cin: int, cout: int, size: int, stride=1, padding=0, bias: bool = True, seed: Seed = 0):
        _check_sizes(cin=cin, cout=cout, size=size, stride=stride)
        self.stride, self.padding = stride, padding
        self.weight = he_normal((size, size, cin, cout), size * size * cin, seed)
        self.bias = constant(cout, 0) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding)


class DepthwiseConv2d(Layer):
    """Convolution of each channel with a filter of its own: (n, y, x, c) → (n, y', x', c). Parameters as `Conv2d`.

    Attributes
    ----------
    weight, bias : Tensor
        (size, size, channels) and (channels,) or None.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor, nn
    >>> layer = nn.DepthwiseConv2d(16, 3, padding=1)
    >>> layer.weight.shape, layer(Tensor(np.zeros((1, 8, 8, 16)))).shape
    ((3, 3, 16), (1, 8, 8, 16))
    """

    op = "depthwise_conv2d"
    settings = ("stride", "padding")
    bias: Tensor | None = None

    def __init__(self, channels: int, size: int, stride=1, padding=0, bias: bool = True, seed: Seed = 0):
        _check_sizes(channels=channels, size=size, stride=stride)
        self.stride, self.padding = stride, padding
        self.weight = he_normal((size, size, channels), size * size, seed)
        self.bias = constant(channels, 0) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.depthwise_conv2d(x, self.weight, self.bias, self.stride, self.padding)


class Linear(Layer):
    """x @ weight + bias: (n, in) → (n, out).

    Attributes
    ----------
    weight, bias : Tensor
        (in, out) and (out,) or None.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor, nn
    >>> layer = nn.Linear(4, 10)
    >>> layer.weight.shape, layer(Tensor(np.zeros((2, 4)))).shape
    ((4, 10), (2, 10))
    """

    op = "linear"
    bias: Tensor | None = None

    def __init__(self, inputs: int, outputs: int, bias: bool = True, seed: Seed = 0):
        _check_sizes(inputs=inputs, outputs=outputs)
        self.weight = lecun_uniform((inputs, outputs), inputs, seed)
        self.bias = constant(outputs, 0) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


class BatchNorm2d(Layer):
    """γ · (x − μ)/σ + β for each channel; in training μ, σ are the batch's and the running ones follow.

    Ioffe, Szegedy 2015. `momentum` is the share of the new statistics, as in PyTorch.

    Attributes
    ----------
    weight, bias : Tensor
        γ and β, (channels,).
    running_mean, running_var : numpy.ndarray
        (channels,).

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor, nn
    >>> layer = nn.BatchNorm2d(1)
    >>> _ = layer(Tensor(np.ones((4, 2, 2, 1))))  # a new layer trains
    >>> layer.running_mean
    array([0.1], dtype=float32)
    """

    op = "batch_norm"
    settings = ("momentum", "eps")

    def __init__(self, channels: int, momentum: float = 0.1, eps: float = 1e-5):
        _check_sizes(channels=channels)
        self.momentum, self.eps = momentum, eps
        self.weight, self.bias = constant(channels, 1), constant(channels, 0)
        self.running_mean, self.running_var = np.zeros(channels, np.float32), np.ones(channels, np.float32)

    def forward(self, x: Tensor) -> Tensor:
        running = self.running_mean, self.running_var
        return F.batch_norm(x, self.weight, self.bias, *running, self.training, self.momentum, self.eps)
