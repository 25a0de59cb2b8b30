"""Layers whose weight is rounded before it is used, so that training meets the rounding that integers will bring."""

from __future__ import annotations

import numpy as np

import tinyslim.functional as F
from tinyslim.autograd import Tensor
from tinyslim.nn import BatchNorm2d, Conv2d, DepthwiseConv2d, Layer, Linear

from .grid import check_bits, integer_weights, weight_limit, weight_scales
from .learned_steps import finite, gradient_scale, keep_positive, smallest, starting_step

#: The names that `prepare` takes, and whether each output channel has a step of its own.
WEIGHT_TYPES = {"channel_wise_abs_max": True, "abs_max": False, "channel_wise_lsq": True, "lsq": False}
#: A channel that batch norm makes this much smaller than the largest has no part in choosing the step of all.
DEAD = 1e-3
#: Where no factor is larger, no channel lives.
TINY = 1e-12


class QuantizedWeight:
    """What the quantised layers share: a weight w that is rounded, fq(w), before it is used.

    Batch norm behind the layer stays an operation of its own. In use it multiplies channel k by c_k = γ_k/σ_k, and when
    the network is lowered that factor goes into the weight: what runs is conv(x, c·w) on integers. Training must meet
    the rounding of just that, with one convolution.

    **A step for each channel.** With S_k for the step of w's channel k, and q = round(w/S_k),

        c_k · Σ x·(S_k·q) = Σ x·((c_k·S_k)·q).

    The integers are the same before and after folding, so y = BN(conv(x, fq(w))) simulates it: the step takes c_k up.

    **One step for all channels.** Then c·w is what must lie on one grid, and its integers are round(c_k·w/S):

        y = BN(conv(x, fq(c·w)) / c).

    Dividing channel k of the result by c_k is dividing the filter by it, and fq(c_k·w)/c_k, with the step S, is fq(w)
    with the step S/|c_k|, since the grid is symmetric. So the layer rounds w by steps S/|c_k|: batch norm multiplies
    them to ±S, one step for the tensor. c is the batch norm's factor at rest, by its running variance, and no gradient
    flows into it (Krishnamoorthi 2018, §3.2.2 on why not that of the batch).

    A dead channel has c_k ≈ 0, and its integers would all be 0: it would send its batch norm zeros, and γ_k a gradient
    of 0, for good. Such a channel is rounded as if it had the largest factor of all; its own |c_k| makes the step small
    when it is folded.

    Attributes
    ----------
    step, first_step : Tensor and numpy.ndarray
        S where it is learned, (cout,) or (), and what it began with.
    """

    settings = ("weight_quantize_type", "weight_bits")
    step: Tensor | None = None
    first_step: np.ndarray | None = None

    def quantize_weight_as(self, weight_quantize_type: str, weight_bits: int, norm: BatchNorm2d | None = None) -> None:
        """Set how the weight is rounded; a step that is learned begins with what the weight asks for."""
        check_weight_type(weight_quantize_type)
        check_bits(weight_bits=weight_bits)
        self.weight_quantize_type, self.weight_bits = weight_quantize_type, weight_bits
        if self.is_learned:
            self.first_step = self._starting_step(norm)
            self.step = Tensor(self.first_step.copy(), requires_grad=True)

    @property
    def per_channel(self) -> bool:
        """Whether each output channel has a step of its own."""
        return WEIGHT_TYPES[self.weight_quantize_type]

    @property
    def is_learned(self) -> bool:
        """Whether the step is a parameter."""
        return self.weight_quantize_type.endswith("lsq")

    def scales(self, norm: BatchNorm2d | None = None) -> np.ndarray:
        """The step of each output channel, (cout,).

        Parameters
        ----------
        norm : BatchNorm2d, optional
            The batch norm behind the layer; only one step for all channels depends on it.
        """
        factors, live = self._factors(norm)
        if self.is_learned:
            return np.maximum(self.step.data, smallest(self.first_step)) * (1 / factors)
        each = weight_scales(self.weight.data, self.weight_bits, per_channel=True)
        return each if self.per_channel else (each * factors)[live].max() * (1 / factors)

    def integers(self, norm: BatchNorm2d | None = None) -> np.ndarray:
        """The weight as int8, in its own shape."""
        return integer_weights(finite(self.weight.data), finite(self.scales(norm)), self.weight_bits)

    def rounded(self, norm: BatchNorm2d | None = None) -> Tensor:
        """The weight on its grid; gradients pass to the weight itself, and to a step that is learned."""
        scales, limit = self.scales(norm), weight_limit(self.weight_bits)
        if not np.isfinite(scales).all():
            return self.weight * scales  # training went wrong, and the loss shall tell
        if not (self.is_learned and self.training):
            return F.fake_quant(self.weight, scales, 0, -limit, limit, axis=-1)
        keep_positive(self.step, smallest(self.first_step))
        steps = self.step * (1 / self._factors(norm)[0])
        count = self.weight.size // (len(scales) if self.per_channel else 1)
        return F.learned_fake_quant(self.weight, steps, 0, -limit, limit, gradient_scale(count, limit), axis=-1)

    def _factors(self, norm: BatchNorm2d | None) -> tuple[np.ndarray, np.ndarray]:
        """|c| of each channel, that of a dead one replaced, and which channels live; 1 and all without c."""
        size = np.ones(self.weight.shape[-1], self.weight.dtype)
        if self.per_channel or norm is None:
            return size, size > 0
        factor = np.abs(norm.weight.data) / np.sqrt(norm.running_var + size.dtype.type(norm.eps))
        largest = factor.max()
        if not TINY < largest < np.inf:
            return size, size > 0
        live = factor > DEAD * largest
        return np.where(live, factor, largest), live

    def _starting_step(self, norm: BatchNorm2d | None) -> np.ndarray:
        factors, live = self._factors(norm)
        size = (np.abs(self.weight.data) * factors)[..., live]
        axes = tuple(range(size.ndim - 1)) if self.per_channel else None
        start = starting_step(size.mean(axis=axes), size.max(axis=axes), weight_limit(self.weight_bits))
        return np.asarray(start, self.weight.dtype)


class QuantizedConv2d(QuantizedWeight, Conv2d):
    """A convolution with a rounded weight."""

    settings = (*Conv2d.settings, *QuantizedWeight.settings)

    def forward(self, x: Tensor, norm: BatchNorm2d | None = None) -> Tensor:
        return F.conv2d(x, self.rounded(norm), self.bias, self.stride, self.padding)


class QuantizedDepthwiseConv2d(QuantizedWeight, DepthwiseConv2d):
    """A depthwise convolution with a rounded weight."""

    settings = (*DepthwiseConv2d.settings, *QuantizedWeight.settings)

    def forward(self, x: Tensor, norm: BatchNorm2d | None = None) -> Tensor:
        return F.depthwise_conv2d(x, self.rounded(norm), self.bias, self.stride, self.padding)


class QuantizedLinear(QuantizedWeight, Linear):
    """A linear layer with a rounded weight."""

    settings = (*Linear.settings, *QuantizedWeight.settings)

    def forward(self, x: Tensor, norm: BatchNorm2d | None = None) -> Tensor:
        return F.linear(x, self.rounded(norm), self.bias)


#: By the operation that each computes.
QUANTIZED = {
    "conv2d": QuantizedConv2d,
    "depthwise_conv2d": QuantizedDepthwiseConv2d,
    "linear": QuantizedLinear,
}


def check_weight_type(weight_quantize_type: str) -> None:
    """Refuse a name that no way of rounding bears."""
    if weight_quantize_type not in WEIGHT_TYPES:
        raise ValueError(f"`weight_quantize_type` (={weight_quantize_type!r}) must be one of {', '.join(WEIGHT_TYPES)}")


def quantized_layer(
    op: str,
    arrays: dict,
    settings: dict,
    weight_quantize_type: str,
    weight_bits: int,
    norm: BatchNorm2d | None = None,
) -> Layer:
    """A quantised layer with the same weight, bias and settings as a plain one.

    Parameters
    ----------
    op : str
        "conv2d", "depthwise_conv2d" or "linear".
    arrays : dict
        ``weight`` and ``bias``, Tensors or None.
    settings : dict
        The plain layer's attributes.
    weight_quantize_type, weight_bits
        See `prepare`.
    norm : BatchNorm2d, optional
        The batch norm behind it.
    """
    layer = QUANTIZED[op].__new__(QUANTIZED[op])
    for name, value in {**arrays, **settings}.items():
        setattr(layer, name, value)
    layer.quantize_weight_as(weight_quantize_type, weight_bits, norm)
    return layer
