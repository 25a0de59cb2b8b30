"""A plain twin of every kernel, of the same name and signature: the oracle of tests, and what a debugger steps into."""

from .convolution import (
    conv2d,
    conv2d_gradients,
    conv2d_input_gradient,
    conv2d_weight_gradient,
    depthwise_conv2d,
    depthwise_conv2d_gradients,
    depthwise_conv2d_input_gradient,
    depthwise_conv2d_weight_gradient,
    gemm,
)
from .fake_quantization import abs_max, fake_quant, fake_quant_gradient, learned_fake_quant_gradients
from .integers import (
    add_int8,
    avg_pool2d_int8,
    clip_int8,
    conv2d_int8,
    depthwise_conv2d_int8,
    dequantize,
    gemm_int8,
    global_avg_pool2d_int8,
    linear_int8,
    logits_int8,
    max_pool2d_int8,
    quantize,
    requantize,
)
from .normalization import (
    batch_norm_gradient,
    batch_norm_gradient_sums,
    batch_norm_statistics,
    channel_sums,
    clip,
    clip_gradient,
    momentum_step,
    normalize_images,
    scale_shift,
)
from .pooling import avg_pool2d, avg_pool2d_gradient, max_pool2d, max_pool2d_gradient
