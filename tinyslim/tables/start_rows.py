"""Where the other rows start: the baseline, and the teacher of those that distil."""

from __future__ import annotations

from dataclasses import asdict

from .benchmarks import Benchmark
from .rows import Row
from .working import originate

#: The folder of their results; no table is called so.
START = "start"


def _baseline(benchmark: Benchmark, seed: int) -> dict:
    return asdict(benchmark.baseline) | {"seed": seed}


def _teacher(benchmark: Benchmark, seed: int) -> dict:
    return asdict(benchmark.teacher) | {"seed": seed}


BASELINE = Row("baseline", "the network as it is before anything is done to it", _baseline, originate)
TEACHER = Row("teacher", "the network that distillation learns from", _teacher, originate)
