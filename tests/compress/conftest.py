"""A network and images so small that a compression takes a second."""

from __future__ import annotations

import numpy as np
import pytest

from tinyslim import nn, train
from tinyslim.data import Dataset


def striped(count: int, seed: int) -> Dataset:
    """Noisy 8×8 images of horizontal stripes, vertical stripes, or neither."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = rng.integers(0, 120, (count, 8, 8, 1))
    images[labels == 0, ::2] += 90
    images[labels == 1, :, ::2] += 90
    return Dataset(images.astype(np.uint8), labels, ("lying", "standing", "none"))


@pytest.fixture(scope="session")
def train_set() -> Dataset:
    return striped(96, seed=0)


@pytest.fixture(scope="session")
def test_set() -> Dataset:
    return striped(60, seed=1)


def network(seed: int = 0) -> nn.Module:
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False, seed=rng),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, 2, 1, bias=False, seed=rng),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.GlobalAvgPool2d(),
        nn.Linear(8, 3, seed=rng),
    )


@pytest.fixture
def untrained() -> nn.Module:
    return network(seed=5)


@pytest.fixture(scope="session")
def trained(train_set) -> nn.Module:
    model = network()
    train.fit(model, train_set, epochs=4, batch_size=16, lr=0.1, quiet=True)
    return model


@pytest.fixture
def everything() -> dict:
    """A config in which all three kinds of strategies work."""
    return {
        "compressor": {"epochs": 3, "batch_size": 16, "lr": 0.02, "augment": "pad_crop_flip"},
        "strategies": {
            "prune": {"class": "UniformPruneStrategy", "target_ratio": 0.4, "recalibration_batches": 2},
            "distil": {"class": "DistillationStrategy", "teacher": "self", "student_temperature": 2.0},
            "quant": {"class": "QuantizationStrategy", "start_epoch": 1, "lr": 0.005},
        },
    }
