from __future__ import annotations
from . import reference
from .table import kernel
@kernel
def depthwise_conv2d(x, weight, bias=None, stride=1, padding=0):
    return reference.depthwise_conv2d(x, weight, bias, stride, padding)
@kernel
def depthwise_conv2d_input_gradient(grad, weight, input_shape, stride=1, padding=0):
    return reference.depthwise_conv2d_input_gradient(grad, weight, input_shape, stride, padding)
@kernel
def depthwise_conv2d_weight_gradient(x, grad, weight_shape, stride=1, padding=0):
    return reference.depthwise_conv2d_weight_gradient(x, grad, weight_shape, stride, padding)
