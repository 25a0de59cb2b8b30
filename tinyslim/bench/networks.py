"""MobileNetV1 as Programs to be timed: random weights, ranges as one batch leaves them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

import tinyslim
from tinyslim import graph, models, no_grad, quant
from tinyslim.deploy import Program
from tinyslim.nn import Module


class Programs(NamedTuple):
    """A network as a float32 and as an int8 Program, and the operations that one image takes."""

    float32: Program
    int8: Program
    operations: int


def random_images(batch: int, shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Standard normal images, float32 (batch, height, width, channels)."""
    return np.random.default_rng(seed).standard_normal((batch, *shape), np.float32)


def mobilenet_programs(side: int = 224, width: float = 1.0, num_classes: int = 1000) -> Programs:
    """MobileNetV1 with random weights.

    Parameters
    ----------
    side : int
        Height and width of the images, of 3 channels.
    width : float
    num_classes : int
    """
    return programs_of(models.mobilenet_v1(num_classes=num_classes, width=width), side)


def programs_of(model: Module, side: int) -> Programs:
    """Both Programs of a network, whose statistics a few batches of random images (side, side, 3) have set."""
    batch = random_images(4, (side, side, 3), seed=1)
    with no_grad():
        for _ in range(8):  # the running averages keep 0.9 of what they were
            model.train()(batch)
        example = batch[:1]
        prepared = quant.prepare(model.eval(), example)
        prepared.train()(batch)
    operations = graph.summary(model.eval(), example).flops
    return Programs(tinyslim.freeze(model, example), tinyslim.freeze(prepared.eval(), example), operations)
