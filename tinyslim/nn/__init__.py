"""Modules and layers: what a network is put together from."""

from .hearing import listening, tell
from .init import he_normal, lecun_uniform
from .layer import LAYERS, Layer
from .layers import BatchNorm2d, Conv2d, DepthwiseConv2d, Linear
from .module import Call, Module
from .simple_layers import (
    AvgPool2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    MaxPool2d,
    ReLU,
    ReLU6,
    Sequential,
    Sigmoid,
    Tanh,
)

__all__ = [
    "LAYERS",
    "AvgPool2d",
    "BatchNorm2d",
    "Call",
    "Conv2d",
    "DepthwiseConv2d",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2d",
    "Layer",
    "Linear",
    "MaxPool2d",
    "Module",
    "ReLU",
    "ReLU6",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "he_normal",
    "lecun_uniform",
    "listening",
    "tell",
]
