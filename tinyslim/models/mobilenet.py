"""MobileNetV1: a convolution split into one that mixes space and one that mixes channels."""

from __future__ import annotations

import numpy as np

from tinyslim import nn
from tinyslim.autograd import Tensor

from .settings import check_settings, check_strides, scaled

#: Output channels of the 13 blocks at width 1 (Howard et al. 2017, table 1).
WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)


class ConvBlock(nn.Module):
    """Convolution, batch norm, and ReLU or another activation."""

    def __init__(self, cin: int, cout: int, size: int, stride: int, seed: np.random.Generator, activation=nn.ReLU):
        self.conv = nn.Conv2d(cin, cout, size, stride, padding=size // 2, bias=False, seed=seed)
        self.norm = nn.BatchNorm2d(cout)
        self.relu = activation()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.norm(self.conv(x)))


class SeparableBlock(nn.Module):
    """A depthwise and a pointwise convolution, each with batch norm and ReLU.

    A 3×3 convolution from c to d channels takes 9·c·d multiplications a pixel, this one 9·c + c·d (§3.1, eq. 5).
    """

    def __init__(self, cin: int, cout: int, stride: int, seed: np.random.Generator):
        self.depthwise = nn.DepthwiseConv2d(cin, 3, stride, padding=1, bias=False, seed=seed)
        self.depthwise_norm = nn.BatchNorm2d(cin)
        self.depthwise_relu = nn.ReLU()
        self.pointwise = ConvBlock(cin, cout, 1, 1, seed)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise_relu(self.depthwise_norm(self.depthwise(x))))


class MobileNetV1(nn.Module):
    """Howard et al. 2017, table 1."""

    def __init__(self, num_classes: int, width: float, in_channels: int, stem_stride: int, strides: tuple, seed: int):
        rng = np.random.default_rng(seed)
        channels = scaled(32, width)
        self.stem = ConvBlock(in_channels, channels, 3, stem_stride, rng)
        self.blocks = []
        for outputs, stride in zip(WIDTHS, strides, strict=True):
            self.blocks.append(SeparableBlock(channels, scaled(outputs, width), stride, rng))
            channels = scaled(outputs, width)
        self.pool = nn.GlobalAvgPool2d()
        self.classifier = nn.Linear(channels, num_classes, seed=rng)
        side = 224 if stem_stride == 2 else 32
        self.input_shape = (side, side, in_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.classifier(self.pool(x))


def build_mobilenet_v1(num_classes, width, in_channels, stem_stride, strides, seed) -> MobileNetV1:
    """A MobileNetV1 with fresh weights; see `models.mobilenet_v1`."""
    strides = STRIDES if strides is None else tuple(strides)
    check_settings(width, stem_stride)
    check_strides(strides, len(WIDTHS))
    return MobileNetV1(num_classes, width, in_channels, stem_stride, strides, seed)
