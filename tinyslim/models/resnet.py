"""Residual networks for small images: a block learns what to add to its input."""

from __future__ import annotations

import numpy as np

import tinyslim.functional as F
from tinyslim import nn
from tinyslim.autograd import Tensor


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut around them; where the shape changes, the shortcut is a 1×1 convolution.

    He et al. 2016, fig. 2 and eq. 2 (projection, their option B).
    """

    def __init__(self, cin: int, cout: int, stride: int, seed: np.random.Generator):
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, padding=1, bias=False, seed=seed)
        self.norm1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1, bias=False, seed=seed)
        self.norm2 = nn.BatchNorm2d(cout)
        self.projection = None
        if stride != 1 or cin != cout:
            self.projection = nn.Sequential(
                nn.Conv2d(cin, cout, 1, stride, bias=False, seed=seed), nn.BatchNorm2d(cout)
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.projection is None else self.projection(x)
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + shortcut)


class CifarResNet(nn.Module):
    """The residual network for 32×32 images: 6n + 2 layers in three stages of 16, 32 and 64 channels (§4.2)."""

    def __init__(self, blocks: int, num_classes: int, in_channels: int, seed: int):
        rng = np.random.default_rng(seed)
        self.conv = nn.Conv2d(in_channels, 16, 3, padding=1, bias=False, seed=rng)
        self.norm = nn.BatchNorm2d(16)
        self.blocks = []
        channels = 16
        for outputs, first_stride in ((16, 1), (32, 2), (64, 2)):
            for index in range(blocks):
                self.blocks.append(BasicBlock(channels, outputs, first_stride if index == 0 else 1, rng))
                channels = outputs
        self.pool = nn.GlobalAvgPool2d()
        self.classifier = nn.Linear(channels, num_classes, seed=rng)
        self.input_shape = (32, 32, in_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.conv(x)))
        for block in self.blocks:
            x = block(x)
        return self.classifier(self.pool(x))
