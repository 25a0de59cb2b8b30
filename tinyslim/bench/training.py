"""One step of training, ours and PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

import tinyslim.functional as F
from tinyslim import models, optim

from .comparison import OURS, Comparison, Row
from .kernel_tables import start
from .machine import set_threads
from .memory import STATUS, training_peak_mib
from .peers import Peers
from .timing import by_turns


def train_step(
    threads: int | None = None, batch: int = 64, side: int = 32, width: float = 1.0, num_classes: int = 10
) -> Callable[[], float]:
    """A function that runs one SGD step of MobileNetV1 with stem stride 1, and returns the loss.

    Parameters
    ----------
    threads : int, optional
        By default as many as kernels run on now.
    batch, side : int
        Images a step, and their height and width; 3 channels.
    width : float
    num_classes : int
    """
    if threads:
        set_threads(threads)
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


def torch_train_step(
    layout: str, threads: int, batch: int = 64, side: int = 32, width: float = 1.0, num_classes: int = 10
) -> Callable[[], float]:
    """The same step in PyTorch; `layout` is "channels_last" or "contiguous_format"."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    memory_format = getattr(torch, layout)
    model = _torch_mobilenet_v1(nn, width, num_classes).to(memory_format=memory_format)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=True)
    images = torch.randn(batch, 3, side, side).to(memory_format=memory_format)
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


#: By contender, what makes its step, given threads and settings.
STEPS = {
    OURS: train_step,
    "PyTorch, channels last": partial(torch_train_step, "channels_last"),
    "PyTorch": partial(torch_train_step, "contiguous_format"),
}


def compare_training(peers: Peers, repeats: int = 20, **settings) -> list[Comparison]:
    """Milliseconds of a training step of MobileNetV1, and the peak memory of a process that trains.

    Parameters
    ----------
    peers : Peers
    repeats : int
    **settings
        Those of `train_step`.
    """
    notes = start(peers)
    names = [name for name in STEPS if name == OURS or peers.torch]
    steps = {name: STEPS[name](peers.threads, **settings) for name in names}
    timings = by_turns(steps, repeats)
    figures = {}
    if STATUS.exists():
        notes.append("peak memory: fresh processes that train for 5 steps, each with its system's own memory handling")
        peaks = {name: training_peak_mib(name, peers.threads, **settings) for name in names}
        figures = {f"peak MiB, {name}": peak for name, peak in peaks.items()}
        if len(peaks) > 1:
            figures["peak memory, ours / best"] = peaks[OURS] / min(peaks[name] for name in names if name != OURS)
    row = Row("a step of 64 images", timings, figures=figures)
    return [Comparison("training MobileNetV1 1.0, stem stride 1, 64×32×32×3, SGD with momentum", [row], notes=notes)]
