"""A folder of tiny photographs, and a network that was trained on them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tinyslim import data, nn, train


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """train/CLASS/*.png and test/CLASS/*.png of dark and bright 8×8 images."""
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for name, level in (("dark", 40), ("bright", 170)):
            folder = root / part / name
            folder.mkdir(parents=True)
            for index in range(12):
                pixels = rng.integers(level, level + 60, (8, 8)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{index:02}.png")
    return root


@pytest.fixture(scope="session")
def model_file(photos, tmp_path_factory):
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False, seed=rng),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.GlobalAvgPool2d(),
        nn.Linear(4, 2, seed=rng),
    )
    out = tmp_path_factory.mktemp("trained")
    train.fit(model, data.from_folder(photos / "train"), epochs=6, batch_size=8, lr=0.2, out=out, quiet=True)
    return out / "model.npz"
