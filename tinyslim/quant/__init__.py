"""Quantisation: fake quantisers, where they go, and how their ranges are found, by training or without it."""

from .bias_correction import correct_bias
from .biases import round_biases, sum_steps
from .calibration import calibrate
from .comparison import Comparison, compare
from .diagnosis import Diagnosis, Distribution, LayerDiagnosis, diagnose, ranges, rounding_only
from .equalization import equalize
from .grid import Grid, activation_grid, affine_grid, integer_weights, weight_scales
from .layers import WEIGHT_TYPES, QuantizedConv2d, QuantizedDepthwiseConv2d, QuantizedLinear
from .mixing import float_layers, float_nodes
from .observers import RULES
from .placement import chain, is_non_negative, quantized_places
from .preparation import is_prepared, prepare
from .quantizers import ACTIVATION_TYPES, ActivationQuantizer, LearnedActivationQuantizer
from .range_search import METHODS

__all__ = [
    "ACTIVATION_TYPES",
    "METHODS",
    "RULES",
    "WEIGHT_TYPES",
    "ActivationQuantizer",
    "Comparison",
    "Diagnosis",
    "Distribution",
    "Grid",
    "LayerDiagnosis",
    "LearnedActivationQuantizer",
    "QuantizedConv2d",
    "QuantizedDepthwiseConv2d",
    "QuantizedLinear",
    "activation_grid",
    "affine_grid",
    "calibrate",
    "chain",
    "compare",
    "correct_bias",
    "diagnose",
    "equalize",
    "float_layers",
    "float_nodes",
    "integer_weights",
    "is_non_negative",
    "is_prepared",
    "prepare",
    "quantized_places",
    "ranges",
    "round_biases",
    "rounding_only",
    "sum_steps",
    "weight_scales",
]
