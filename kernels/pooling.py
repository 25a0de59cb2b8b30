from __future__ import annotations
from . import reference
from .table import kernel
@kernel
def max_pool2d(x, size, stride, padding=0):
    return reference.max_pool2d(x, size, stride, padding)
@kernel
def max_pool2d_gradient(grad, argmax, input_shape):
    return reference.max_pool2d_gradient(grad, argmax, input_shape)
@kernel
def avg_pool2d(x, size, stride, padding=0):
    return reference.avg_pool2d(x, size, stride, padding)
@kernel
def avg_pool2d_gradient(grad, input_shape, size, stride, padding=0):
    return reference.avg_pool2d_gradient(grad, input_shape, size, stride, padding)
