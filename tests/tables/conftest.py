"""A benchmark so small that a row takes half a second: its baseline is trained, as CIFAR-10's is."""

from __future__ import annotations

import pytest

from tinyslim.tables import Benchmark, Origin, measure_rows, rows_of

TINY = {"num_classes": 10, "width": 0.0625, "stem_stride": 2}
TRAINING = {"epochs": 1, "batch_size": 32, "lr": 0.05}


@pytest.fixture(scope="session")
def small() -> Benchmark:
    return Benchmark(
        "fashion_mnist_mini",
        Origin("mobilenet_v1", TINY, TRAINING),
        Origin("mobilenet_v1", TINY | {"width": 0.125}, TRAINING),
        10_000,
        {"prune": 2, "quant": 1, "recipes": 1},
        {"batch_size": 32, "augment": "shift_flip"},
        images=64,
    )


@pytest.fixture(scope="session")
def measured(small, tmp_path_factory):
    """A folder with a control and random filters, two seeds each: to be read, or copied."""
    folder = tmp_path_factory.mktemp("measured")
    rows = rows_of("prune", ["control", "uniform_random"])
    assert measure_rows(small, "prune", rows, range(2), folder / "results", folder / "scratch") == []
    return folder
