"""The operations on tensors, by the names and with the meanings that PyTorch gave them, in NHWC; import it as `F`."""

from .autograd.activations import clip, dropout, log_softmax, relu, relu6, sigmoid, softmax, tanh
from .autograd.arithmetic import add, divide, exp, log, matmul, mean, multiply, negate, power, subtract, sum
from .autograd.convolution import conv2d, depthwise_conv2d, linear
from .autograd.fake_quantization import fake_quant, learned_fake_quant
from .autograd.losses import cross_entropy, fsp_matrix, mse_loss, soft_cross_entropy
from .autograd.normalization import batch_norm
from .autograd.pooling import avg_pool2d, global_avg_pool2d, max_pool2d
from .autograd.shaping import concat, flatten, pad, reshape, take, transpose

__all__ = [
    "add",
    "avg_pool2d",
    "batch_norm",
    "clip",
    "concat",
    "conv2d",
    "cross_entropy",
    "depthwise_conv2d",
    "divide",
    "dropout",
    "exp",
    "fake_quant",
    "flatten",
    "fsp_matrix",
    "global_avg_pool2d",
    "learned_fake_quant",
    "linear",
    "log",
    "log_softmax",
    "matmul",
    "max_pool2d",
    "mean",
    "mse_loss",
    "multiply",
    "negate",
    "pad",
    "power",
    "relu",
    "relu6",
    "reshape",
    "sigmoid",
    "soft_cross_entropy",
    "softmax",
    "subtract",
    "sum",
    "take",
    "tanh",
    "transpose",
]
