"""Quantisation: fake quantisers, where they go, and how their ranges are found, by training or without it."""

from .bias_correction import correct_bias
from .calibration import calibrate
from .equalization import equalize
from .grid import Grid, activation_grid, integer_weights, weight_scales
from .layers import ActivationQuantizer, QuantizedConv2d, QuantizedDepthwiseConv2d, QuantizedLinear
from .mixing import float_layers, float_nodes
from .observers import RULES
from .placement import chain, is_non_negative, quantized_places
from .preparation import is_prepared, prepare
from .range_search import METHODS

__all__ = [
    "METHODS",
    "RULES",
    "ActivationQuantizer",
    "Grid",
    "QuantizedConv2d",
    "QuantizedDepthwiseConv2d",
    "QuantizedLinear",
    "activation_grid",
    "calibrate",
    "chain",
    "correct_bias",
    "equalize",
    "float_layers",
    "float_nodes",
    "integer_weights",
    "is_non_negative",
    "is_prepared",
    "prepare",
    "quantized_places",
    "weight_scales",
]
