"""Residual networks: a block learns what to add to its input."""

from __future__ import annotations

import numpy as np

import tinyslim.functional as F
from tinyslim import nn
from tinyslim.autograd import Tensor

from .settings import check_settings, scaled

#: Channels of the four stages at width 1 (He et al. 2016, table 1); a bottleneck gives four times as many.
STAGES = (64, 128, 256, 512)


def shortcut_around(cin: int, cout: int, stride: int, seed: np.random.Generator) -> nn.Sequential | None:
    """A 1×1 convolution where the shape changes (He et al. 2016, eq. 2: projection, their option B), or nothing."""
    if stride == 1 and cin == cout:
        return None
    return nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False, seed=seed), nn.BatchNorm2d(cout))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut around them (He et al. 2016, fig. 2)."""

    expansion = 1

    def __init__(self, cin: int, cout: int, stride: int, seed: np.random.Generator):
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, padding=1, bias=False, seed=seed)
        self.norm1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1, bias=False, seed=seed)
        self.norm2 = nn.BatchNorm2d(cout)
        self.projection = shortcut_around(cin, cout, stride, seed)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.projection is None else self.projection(x)
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + shortcut)


class Bottleneck(nn.Module):
    """1×1 to few channels, 3×3 there, 1×1 to four times as many; a shortcut around them (He et al. 2016, fig. 5).

    Where the image shrinks, the 3×3 convolution has the stride, as in PyTorch's networks: the first 1×1, which has it
    in the paper, would skip three of four pixels.
    """

    expansion = 4

    def __init__(self, cin: int, cout: int, stride: int, seed: np.random.Generator):
        narrow = cout // self.expansion
        self.conv1 = nn.Conv2d(cin, narrow, 1, bias=False, seed=seed)
        self.norm1 = nn.BatchNorm2d(narrow)
        self.conv2 = nn.Conv2d(narrow, narrow, 3, stride, padding=1, bias=False, seed=seed)
        self.norm2 = nn.BatchNorm2d(narrow)
        self.conv3 = nn.Conv2d(narrow, cout, 1, bias=False, seed=seed)
        self.norm3 = nn.BatchNorm2d(cout)
        self.projection = shortcut_around(cin, cout, stride, seed)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.projection is None else self.projection(x)
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.conv2(y)))
        return F.relu(self.norm3(self.conv3(y)) + shortcut)


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


class ImageNetResNet(nn.Module):
    """The residual network for large images: four stages of blocks, the first behind a max pooling (table 1).

    With a stem of stride 1 it is one for small images: a 3×3 convolution in the place of the 7×7, and no pooling.
    """

    def __init__(
        self, block: type, counts: tuple, num_classes: int, width: float, in_channels: int, stem_stride: int, seed: int
    ):
        check_settings(width, stem_stride)
        rng = np.random.default_rng(seed)
        channels, large = scaled(STAGES[0], width), stem_stride == 2
        size = 7 if large else 3
        self.conv = nn.Conv2d(in_channels, channels, size, stem_stride, padding=size // 2, bias=False, seed=rng)
        self.norm = nn.BatchNorm2d(channels)
        self.max_pool = nn.MaxPool2d(3, 2, padding=1) if large else None
        self.blocks = []
        for stage, (inner, count) in enumerate(zip(STAGES, counts, strict=True)):
            outputs = scaled(inner, width) * block.expansion
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                self.blocks.append(block(channels, outputs, stride, rng))
                channels = outputs
        self.pool = nn.GlobalAvgPool2d()
        self.classifier = nn.Linear(channels, num_classes, seed=rng)
        side = 224 if large else 32
        self.input_shape = (side, side, in_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.conv(x)))
        x = x if self.max_pool is None else self.max_pool(x)
        for block in self.blocks:
            x = block(x)
        return self.classifier(self.pool(x))
