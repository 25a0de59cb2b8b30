"""A set of images that a small network learns in a second."""

from __future__ import annotations

import numpy as np
import pytest

from tinyslim import data, nn


@pytest.fixture(scope="session")
def stripes() -> data.Dataset:
    """120 noisy images of 8×8×1 in three classes: horizontal stripes, vertical ones, a chessboard."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((8, 8)) % 2
    patterns = np.stack([rows, columns, (rows + columns) % 2])
    labels = np.arange(120) % 3
    images = 60 + 100 * patterns[labels] + rng.integers(0, 60, (120, 8, 8))
    return data.Dataset(images.astype(np.uint8)[..., None], labels, ["rows", "columns", "chess"])


@pytest.fixture
def small_net():
    """Makes a network with batch norm and dropout: the same one at every call."""

    def make() -> nn.Sequential:
        rng = np.random.default_rng(0)
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, bias=False, seed=rng), nn.BatchNorm2d(8), nn.ReLU(),
            nn.DepthwiseConv2d(8, 3, stride=2, padding=1, bias=False, seed=rng), nn.BatchNorm2d(8), nn.ReLU(),
            nn.GlobalAvgPool2d(), nn.Dropout(0.1), nn.Linear(8, 3, seed=rng),
        )  # fmt: skip

    return make
