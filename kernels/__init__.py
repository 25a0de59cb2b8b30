"""Kernels: arrays in, arrays out. Each has a plain twin in `reference`, and any can be swapped by `use`."""

from . import reference
from .convolution import conv2d, conv2d_gradients, conv2d_input_gradient, conv2d_weight_gradient, gemm
from .convolution_int8 import conv2d_int8, depthwise_conv2d_int8, linear_int8, logits_int8
from .deferred import Deferred, written
from .depthwise import (
    depthwise_conv2d,
    depthwise_conv2d_gradients,
    depthwise_conv2d_input_gradient,
    depthwise_conv2d_weight_gradient,
)
from .elementwise import abs_max, clip, clip_gradient, momentum_step
from .elementwise_int8 import add_int8, clip_int8, dequantize, quantize, requantize
from .fake_quantization import fake_quant, fake_quant_gradient, learned_fake_quant_gradients
from .normalization import (
    Measured,
    MeasuredGradient,
    Normalized,
    NormalizedGradient,
    PassedGradient,
    batch_norm_gradient,
    normalize_images,
    scale_shift,
)
from .pool_int8 import avg_pool2d_int8, global_avg_pool2d_int8, max_pool2d_int8
from .pooling import avg_pool2d, avg_pool2d_gradient, max_pool2d, max_pool2d_gradient
from .product_int8 import gemm_int8
from .statistics import batch_norm_gradient_sums, batch_norm_statistics, channel_sums
from .table import is_swapped, use, use_reference
