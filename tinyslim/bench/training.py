"""One step of training, ours and PyTorch's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import tinyslim.functional as F
from tinyslim import models, optim

from .timing import Timing, by_turns, same_memory

THREADS = 2


def train_step(batch: int = 64, side: int = 32, width: float = 1.0, num_classes: int = 10) -> Callable[[], float]:
    """A function that runs one SGD step of MobileNetV1 with stem stride 1, and returns the loss.

    Parameters
    ----------
    batch, side : int
        Images a step, and their height and width; 3 channels.
    width : float
    num_classes : int
    """
    rng = np.random.default_rng(0)
    model = models.mobilenet_v1(num_classes=num_classes, width=width, stem_stride=1)
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    images = rng.standard_normal((batch, side, side, 3), np.float32)
    labels = np.arange(batch) % num_classes

    def step() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return float(loss)

    return step


def torch_train_step(batch: int = 64, side: int = 32, width: float = 1.0, num_classes: int = 10) -> Callable[[], float]:
    """The same step in PyTorch, channels last, which is its faster layout here."""
    import torch
    from torch import nn

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    model = _torch_mobilenet_v1(nn, width, num_classes).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=True)
    images = torch.randn(batch, 3, side, side).to(memory_format=torch.channels_last)
    labels = torch.arange(batch) % num_classes

    def step() -> float:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def _torch_mobilenet_v1(nn, width: float, num_classes: int):
    """Howard et al. 2017, table 1, with stem stride 1."""

    def conv(inputs, outputs, size, stride=1, groups=1):
        convolution = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
        return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]

    channels = models.mobilenet.scaled(32, width)
    layers = conv(3, channels, 3)
    for full, stride in zip(models.mobilenet.WIDTHS, models.mobilenet.STRIDES, strict=True):
        outputs = models.mobilenet.scaled(full, width)
        layers += conv(channels, channels, 3, stride, groups=channels) + conv(channels, outputs, 1)
        channels = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, num_classes))


def compare_training(peers: bool, repeats: int = 20, **settings) -> dict[str, Timing]:
    """Milliseconds of a training step, by name; with `peers` and PyTorch installed, PyTorch's beside ours.

    Parameters
    ----------
    peers : bool
    repeats : int
    **settings
        Those of `train_step`.
    """
    import numba

    same_memory()
    numba.set_num_threads(min(THREADS, numba.config.NUMBA_NUM_THREADS))
    functions = {"tinyslim": train_step(**settings)}
    if peers:
        functions["PyTorch, channels last"] = torch_train_step(**settings)
    return by_turns(functions, repeats)
