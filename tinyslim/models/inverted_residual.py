"""MobileNetV2: a block widens its input, mixes space there, and adds what it found to a narrow image."""

from __future__ import annotations

import numpy as np

from tinyslim import nn
from tinyslim.autograd import Tensor

from .mobilenet import ConvBlock
from .settings import check_settings, check_strides, in_eights

#: Of the seven stages: how much wider a block is inside, its output's channels at width 1, how many blocks
#: (Sandler et al. 2018, table 2).
STAGES = ((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1))
#: Of the first block of each stage; the others have 1.
STRIDES = (1, 2, 2, 2, 1, 2, 1)


class InvertedResidual(nn.Module):
    """1×1 to more channels, depthwise 3×3, 1×1 back to few; the narrow ends are joined, and end without activation.

    A ReLU on few channels would destroy what they hold (§3.2), so the bottleneck is linear. ReLU6 inside keeps the
    range that integers must cover small.
    """

    def __init__(self, cin: int, cout: int, expansion: int, stride: int, seed: np.random.Generator):
        wide = cin * expansion
        self.expand = None if expansion == 1 else ConvBlock(cin, wide, 1, 1, seed, nn.ReLU6)
        self.depthwise = nn.DepthwiseConv2d(wide, 3, stride, padding=1, bias=False, seed=seed)
        self.depthwise_norm = nn.BatchNorm2d(wide)
        self.depthwise_relu = nn.ReLU6()
        self.project = nn.Conv2d(wide, cout, 1, bias=False, seed=seed)
        self.project_norm = nn.BatchNorm2d(cout)
        self.residual = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else self.expand(x)
        y = self.depthwise_relu(self.depthwise_norm(self.depthwise(y)))
        y = self.project_norm(self.project(y))
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """Sandler et al. 2018, table 2."""

    def __init__(self, num_classes: int, width: float, in_channels: int, stem_stride: int, strides: tuple, seed: int):
        rng = np.random.default_rng(seed)
        channels = in_eights(32 * width)
        self.stem = ConvBlock(in_channels, channels, 3, stem_stride, rng, nn.ReLU6)
        self.blocks = []
        for (expansion, outputs, count), first_stride in zip(STAGES, strides, strict=True):
            for index in range(count):
                stride = first_stride if index == 0 else 1
                self.blocks.append(InvertedResidual(channels, in_eights(outputs * width), expansion, stride, rng))
                channels = in_eights(outputs * width)
        # Narrow networks keep the last layer's full width, which the classifier needs (§4).
        features = in_eights(1280 * max(width, 1.0))
        self.head = ConvBlock(channels, features, 1, 1, rng, nn.ReLU6)
        self.pool = nn.GlobalAvgPool2d()
        self.classifier = nn.Linear(features, num_classes, seed=rng)
        side = 224 if stem_stride == 2 else 32
        self.input_shape = (side, side, in_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.classifier(self.pool(self.head(x)))


def build_mobilenet_v2(num_classes, width, in_channels, stem_stride, strides, seed) -> MobileNetV2:
    """A MobileNetV2 with fresh weights; see `models.mobilenet_v2`."""
    strides = STRIDES if strides is None else tuple(strides)
    check_settings(width, stem_stride)
    check_strides(strides, len(STAGES))
    return MobileNetV2(num_classes, width, in_channels, stem_stride, strides, seed)
