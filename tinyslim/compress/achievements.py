"""What each recipe achieved when it was measured: read from runs that ended, never typed in.

    tinyslim recipes --record runs/*

takes the finished runs of shipped recipes among these folders, one for each seed, and writes `achieved.json` beside the
recipes. A recipe that has changed since then counts as not measured.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean

from tinyslim.files import write_text_atomically

from . import recipes
from .config import read_config
from .folder import METRICS

FILE = recipes.FOLDER / "achieved.json"
COLUMNS = ("top1", "bytes", "flops", "latency_ms")


def record(folders: Iterable, path=FILE) -> list[str]:
    """Write what finished runs of recipes achieved to `path`, in the place of what it held of the same recipes.

    Parameters
    ----------
    folders : iterable of str or Path
        Of runs, as `Compressor` leaves them; a recipe may have several, with other seeds.
    path : str or Path

    Returns
    -------
    list of str
        The recipes that were recorded.

    Raises
    ------
    ValueError
        When a folder holds no finished run of a recipe as it ships, or two hold the same one.
    """
    runs: dict[str, dict[int, dict]] = {}
    for folder in map(Path, folders):
        name, seed, metrics = _finished_run(folder)
        if seed in runs.setdefault(name, {}):
            raise ValueError(f"`folders`: {str(folder)!r} is a second run of {name} with the seed {seed}")
        runs[name][seed] = metrics
    known = json.loads(Path(path).read_text(encoding="utf-8")) if Path(path).exists() else {}
    known |= {name: _summary(name, by_seed) for name, by_seed in runs.items()}
    write_text_atomically(path, json.dumps(known, indent=1, sort_keys=True) + "\n")
    return sorted(runs)


def achieved(name: str, path=FILE) -> str:
    """What a recipe achieved, in a line; or that nobody measured it as it is now."""
    known = json.loads(Path(path).read_text(encoding="utf-8")) if Path(path).exists() else {}
    if name not in known:
        return "not measured"
    found = known[name]
    if found["recipe_sha256"] != _digest(name):
        return "not measured since the recipe changed"
    before, after, seeds = found["before"], found["after"], len(found["seeds"])
    change = {key: after[key] / before[key] - 1 for key in COLUMNS}
    return (
        f"top-1 {before['top1']:.2%} → {after['top1']:.2%}, bytes {change['bytes']:+.1%}, "
        f"FLOPs {change['flops']:+.1%}, milliseconds {change['latency_ms']:+.0%} "
        f"({found['kind']}, {seeds} seed{'s' if seeds > 1 else ''}, {found['test_images']:,} test images)"
    )


def _finished_run(folder: Path) -> tuple[str, int, dict]:
    """Which recipe ran in `folder`, with which seed, and its metrics."""
    try:
        metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        used = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"`folders`: {str(folder)!r} holds no finished run: there is no {error.filename}") from None
    name, seed = metrics["recipe"], used["compressor"]["seed"]
    if name not in recipes.names():
        raise ValueError(f"`folders`: {str(folder)!r} holds a run of {name!r}, which is no recipe that ships")
    if used != json.loads(read_config(name, [("compressor.seed", seed)]).as_json()):
        raise ValueError(f"`folders`: {str(folder)!r} holds a run of {name} with other values than the recipe's")
    return name, seed, metrics


def _summary(name: str, by_seed: dict[int, dict]) -> dict:
    """The means over the seeds."""
    runs = list(by_seed.values())
    sides = {side: {key: fmean(run[side][key] for run in runs) for key in COLUMNS} for side in ("before", "after")}
    return {
        "recipe_sha256": _digest(name),
        "seeds": sorted(by_seed),
        "kind": runs[0]["kind"],
        "test_images": runs[0]["test_images"],
        "top1_of_each_seed": [by_seed[seed]["after"]["top1"] for seed in sorted(by_seed)],
        **sides,
    }


def _digest(name: str) -> str:
    return hashlib.sha256(recipes.path(name).read_bytes()).hexdigest()
