"""The table of recipes: every config that ships, with as many epochs as the benchmark gives all rows."""

from __future__ import annotations

import tomllib

from tinyslim.compress import recipes

from .benchmarks import Benchmark
from .rows import Row
from .working import compress


def fitted(config: dict, benchmark: Benchmark, seed: int) -> dict:
    """A recipe's config with the benchmark's epochs, data settings and seed.

    Epochs at which strategies begin or end move in proportion; the images on which strategies measure stay as many.
    """
    settings = config["compressor"]
    before, epochs = settings["epochs"], benchmark.epochs["recipes"]
    strategies = {}
    for name, strategy in config["strategies"].items():
        moved = {
            key: min(round(strategy[key] * epochs / before), epochs - (key == "start_epoch"))
            for key in ("start_epoch", "end_epoch")
            if key in strategy
        }
        measured = {"eval_rate": benchmark.eval_rate} if "eval_rate" in strategy else {}
        strategies[name] = strategy | moved | measured
    changed = {"epochs": epochs, "seed": seed} | dict(benchmark.compressor)
    return {"compressor": settings | changed, "strategies": strategies}


def _read(name: str) -> dict:
    return tomllib.loads(recipes.path(name).read_text(encoding="utf-8"))


def _recipe(name: str) -> Row:
    def plan(benchmark: Benchmark, seed: int) -> dict:
        return fitted(_read(name), benchmark, seed)

    return Row(name, recipes.purpose(name).rstrip("."), plan, compress)


def _control(benchmark: Benchmark, seed: int) -> dict:
    return fitted(_read("distill"), benchmark, seed) | {"strategies": {}}


RECIPES = (
    Row("control", "nothing is removed, nothing rounded: distill's training without its teacher", _control, compress),
    *map(_recipe, recipes.names()),
)
