"""The table of pruning: half of the FLOPs go, in several ways, and the same epochs of training mend each."""

from __future__ import annotations

from .benchmarks import Benchmark
from .rows import Row
from .working import compress

#: The largest learning rate of the one-cycle schedule: up first, since after the cut the weights have a way to go.
LR = 0.02
#: How many networks the search tries after the first.
TRIALS = 150


def _config(benchmark: Benchmark, seed: int, strategies: dict) -> dict:
    settings = {"epochs": benchmark.epochs["prune"], "lr": LR, "schedule": "one_cycle", "seed": seed}
    return {"compressor": settings | dict(benchmark.compressor), "strategies": strategies}


def _row(name: str, description: str, kind: str, **fields) -> Row:
    """A row that removes half of the FLOPs by the strategy `kind`."""

    def plan(benchmark: Benchmark, seed: int) -> dict:
        strategy = {"class": kind, "target_ratio": 0.5, "criterion": "l1_norm", "recalibration_batches": 20} | fields
        # Those that choose ratios by measuring do so on so many training images; the test images choose nothing.
        measured = {} if kind == "UniformPruneStrategy" else {"eval_rate": benchmark.eval_rate}
        return _config(benchmark, seed, {"prune": strategy | measured})

    return Row(name, description, plan, compress)


CONTROL = Row(
    "control",
    "nothing is removed: the same epochs of training alone",
    lambda benchmark, seed: _config(benchmark, seed, {}),
    compress,
)

PRUNE = (
    CONTROL,
    _row("uniform", "the same share of every layer; the filters of the smallest L1 norm go", "UniformPruneStrategy"),
    _row(
        "uniform_fpgm",
        "the same share; those nearest to the geometric median go (He et al. 2019)",
        "UniformPruneStrategy",
        criterion="geometric_median",
    ),
    _row(
        "uniform_random",
        "the same share; any filters go: the control of the criteria",
        "UniformPruneStrategy",
        criterion="random",
    ),
    _row("sensitive", "most from the layers that miss their filters least, in one cut", "SensitivePruneStrategy"),
    _row(
        "sensitive_3_steps",
        "the same in three cuts, an epoch of training after each of the first two",
        "SensitivePruneStrategy",
        num_steps=3,
    ),
    _row(
        "auto",
        f"from the layers that a search finds: the best of {TRIALS + 1} networks",
        "AutoPruneStrategy",
        max_iter_number=TRIALS,
    ),
)
