"""The training step that is timed trains, and its memory is measured in a process of its own."""

from __future__ import annotations

import pytest

from tinyslim.bench import compare_training, train_step
from tinyslim.bench.memory import STATUS, peak_mib, training_peak_mib
from tinyslim.bench.peers import load_peers

SMALL = {"batch": 8, "side": 16, "width": 0.125, "num_classes": 4}


def test_the_step_that_is_timed_really_trains():
    step = train_step(**SMALL)
    losses = [step() for _ in range(30)]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.skipif(not STATUS.exists(), reason="this system keeps no record of a process's peak memory")
def test_peak_memory_is_that_of_the_fresh_process_alone():
    ballast = bytearray(300 << 20)
    assert peak_mib() > 300
    assert 20 < training_peak_mib("tinyslim", 1, steps=1, **SMALL) < peak_mib() - 20
    assert len(ballast) == 300 << 20


def test_time_and_memory_are_told_without_peers():
    (compared,) = compare_training(load_peers(False), repeats=4, **SMALL)
    (row,) = compared.rows
    assert [*row.timings] == ["tinyslim"]
    assert [*row.figures] == (["peak MiB, tinyslim"] if STATUS.exists() else [])
