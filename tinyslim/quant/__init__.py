"""Quantisation-aware training: fake quantisers, where they go, and how their ranges are found."""

from .grid import Grid, activation_grid, affine_grid, integer_weights, weight_scales
from .layers import WEIGHT_TYPES, QuantizedConv2d, QuantizedDepthwiseConv2d, QuantizedLinear
from .observers import RULES
from .placement import chain, is_non_negative, quantized_places
from .preparation import is_prepared, prepare
from .quantizers import ACTIVATION_TYPES, ActivationQuantizer, LearnedActivationQuantizer

__all__ = [
    "ACTIVATION_TYPES",
    "RULES",
    "WEIGHT_TYPES",
    "ActivationQuantizer",
    "Grid",
    "LearnedActivationQuantizer",
    "QuantizedConv2d",
    "QuantizedDepthwiseConv2d",
    "QuantizedLinear",
    "activation_grid",
    "affine_grid",
    "chain",
    "integer_weights",
    "is_non_negative",
    "is_prepared",
    "prepare",
    "quantized_places",
    "weight_scales",
]
