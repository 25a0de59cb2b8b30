"""Quantisation-aware training: fake quantisers, where they go, and how their ranges are found."""

from .grid import Grid, activation_grid, integer_weights, weight_scales
from .layers import ActivationQuantizer, QuantizedConv2d, QuantizedDepthwiseConv2d, QuantizedLinear
from .observers import RULES
from .placement import chain, is_non_negative, quantized_places
from .preparation import is_prepared, prepare

__all__ = [
    "RULES",
    "ActivationQuantizer",
    "Grid",
    "QuantizedConv2d",
    "QuantizedDepthwiseConv2d",
    "QuantizedLinear",
    "activation_grid",
    "chain",
    "integer_weights",
    "is_non_negative",
    "is_prepared",
    "prepare",
    "quantized_places",
    "weight_scales",
]
