"""Quantisation-aware training: fake quantisers, where they go, and how their ranges are found."""

from .biases import round_biases, sum_steps
from .comparison import Comparison, compare
from .diagnosis import Diagnosis, Distribution, LayerDiagnosis, diagnose, ranges, rounding_only
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
    "chain",
    "compare",
    "diagnose",
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
