"""Layers that train with the rounding that integers will bring."""

from __future__ import annotations

import numpy as np

import tinyslim.functional as F
from tinyslim import kernels
from tinyslim.autograd import Tensor
from tinyslim.nn import Conv2d, DepthwiseConv2d, Layer, Linear

from .grid import Grid, activation_grid, check_bits, integer_weights, weight_limit, weight_scales
from .observers import RULES, settled

WEIGHT_TYPES = ("abs_max", "channel_wise_abs_max")


class ActivationQuantizer(Layer):
    """Rounds an activation to the grid of its integers, and learns the grid's range from what comes by.

    In training each batch moves the range, by the rule that `quantize_type` names; in use the range stands still.

    Attributes
    ----------
    memory : numpy.ndarray
        Three numbers, see `observers`.
    """

    op = "fake_quant"
    settings = ("quantize_type", "bits", "non_negative")

    def __init__(self, quantize_type: str = "moving_average_abs_max", bits: int = 8, non_negative: bool = False):
        if quantize_type not in RULES:
            raise ValueError(f"`activation_quantize_type` (={quantize_type!r}) must be one of {', '.join(RULES)}")
        check_bits(activation_bits=bits)
        self.quantize_type, self.bits, self.non_negative = quantize_type, bits, non_negative
        self.memory = np.zeros(3, np.float64)

    def grid(self) -> Grid:
        """The grid that the range at rest gives: what freezing takes."""
        return activation_grid(settled(self.quantize_type, self.memory), self.bits, self.non_negative)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            largest = kernels.abs_max(x.data)
            if not np.isfinite(largest):
                return x  # no grid holds it: the loss will tell, and the range remembers nothing of it
            grid = activation_grid(RULES[self.quantize_type](self.memory, largest), self.bits, self.non_negative)
        else:
            grid = self.grid()
        return F.fake_quant(x, grid.scale, grid.zero_point, grid.qmin, grid.qmax)


class QuantizedWeight:
    """What the quantised layers share: a weight that is rounded before it is used.

    Scales follow the weight at every step. Batch norm behind a convolution stays where it is: it multiplies each
    channel by γ/σ, and the channel's step takes that factor up when the network is lowered. With q = round(w/S),

        γ/σ · Σ x·(S·q) = Σ x·((S·γ/σ)·q),

    so the integers q are the same before and after folding; training needs no second convolution.
    """

    settings = ("weight_quantize_type", "weight_bits")

    def quantize_weight_as(self, weight_quantize_type: str, weight_bits: int) -> None:
        """Set how the weight is rounded."""
        if weight_quantize_type not in WEIGHT_TYPES:
            raise ValueError(
                f"`weight_quantize_type` (={weight_quantize_type!r}) must be one of {', '.join(WEIGHT_TYPES)}"
            )
        check_bits(weight_bits=weight_bits)
        self.weight_quantize_type, self.weight_bits = weight_quantize_type, weight_bits

    def scales(self) -> np.ndarray:
        """The step of each output channel: (cout,)."""
        per_channel = self.weight_quantize_type == "channel_wise_abs_max"
        return weight_scales(self.weight.data, self.weight_bits, per_channel)

    def integers(self) -> np.ndarray:
        """The weight as int8, in its own shape."""
        return integer_weights(self.weight.data, self.scales(), self.weight_bits)

    def rounded(self) -> Tensor:
        """The weight on its grid; gradients pass to the weight itself."""
        if not np.isfinite(self.scales()).all():
            return self.weight  # training went wrong, and the loss will tell
        limit = weight_limit(self.weight_bits)
        return F.fake_quant(self.weight, self.scales(), 0, -limit, limit, axis=-1)


class QuantizedConv2d(QuantizedWeight, Conv2d):
    """A convolution with a rounded weight."""

    settings = (*Conv2d.settings, *QuantizedWeight.settings)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.rounded(), self.bias, self.stride, self.padding)


class QuantizedDepthwiseConv2d(QuantizedWeight, DepthwiseConv2d):
    """A depthwise convolution with a rounded weight."""

    settings = (*DepthwiseConv2d.settings, *QuantizedWeight.settings)

    def forward(self, x: Tensor) -> Tensor:
        return F.depthwise_conv2d(x, self.rounded(), self.bias, self.stride, self.padding)


class QuantizedLinear(QuantizedWeight, Linear):
    """A linear layer with a rounded weight."""

    settings = (*Linear.settings, *QuantizedWeight.settings)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.rounded(), self.bias)


#: By the operation that each computes.
QUANTIZED = {
    "conv2d": QuantizedConv2d,
    "depthwise_conv2d": QuantizedDepthwiseConv2d,
    "linear": QuantizedLinear,
}


def quantized_layer(op: str, arrays: dict, settings: dict, weight_quantize_type: str, weight_bits: int) -> Layer:
    """A quantised layer with the same weight, bias and settings as a plain one.

    Parameters
    ----------
    op : str
        "conv2d", "depthwise_conv2d" or "linear".
    arrays : dict
        ``weight`` and ``bias``, Tensors or None.
    settings : dict
        The plain layer's attributes.
    """
    layer = QUANTIZED[op].__new__(QUANTIZED[op])
    layer.quantize_weight_as(weight_quantize_type, weight_bits)
    for name, value in {**arrays, **settings}.items():
        setattr(layer, name, value)
    return layer
