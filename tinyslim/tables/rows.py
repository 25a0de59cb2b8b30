"""A row of a table: what is measured under one name, again for each seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tinyslim.compress import read_config
from tinyslim.data import Dataset
from tinyslim.nn import Module

from .benchmarks import Benchmark


@dataclass(frozen=True)
class Scene:
    """What a row's function finds: its plan, the data, the networks, and a folder for what it makes on the way.

    Attributes
    ----------
    plan : dict
        As `Row.plan` gave it.
    train_set, test_set : Dataset
    seed : int
    folder : Path
        Of this trial alone. A row that was killed finds what it left there.
    model, teacher : Module or None
        The baseline of this seed, and the teacher of a row that asks for it.
    """

    plan: dict
    train_set: Dataset
    test_set: Dataset
    seed: int
    folder: Path
    model: Module | None = None
    teacher: Module | None = None


@dataclass(frozen=True)
class Outcome:
    """What a row's function measured.

    Attributes
    ----------
    metrics : dict
        With ``before`` and ``after``, as the Compressor's.
    history : list of dict
        One entry an epoch.
    seconds : float
        What the work took, measuring aside.
    config : dict
        Everything that the work followed, defaults written out.
    model : str or None
        The digest of the network that was made, where rows start from it.
    """

    metrics: dict
    history: list[dict]
    seconds: float
    config: dict
    model: str | None = None


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes
    ----------
    name : str
        Letters, digits and underscores: files are named after it.
    description : str
        In a line.
    plan : function
        From the benchmark and the seed to a dict of plain values: with the data and the networks, all that the row's
        numbers follow from.
    run : function
        From a `Scene` to an `Outcome`; importable by name, since workers run it.
    """

    name: str
    description: str
    plan: Callable[[Benchmark, int], dict]
    run: Callable[[Scene], Outcome]


def asks_for_teacher(plan: Mapping) -> bool:
    """Whether a Compressor's config learns from a network other than the one that it compresses.

    Raises
    ------
    ConfigError
        When the plan is a config that can't work.
    """
    if "compressor" not in plan:
        return False
    return any(getattr(strategy, "teacher", None) == "resnet20" for strategy in read_config(plan).strategies)


def flattened(plan: Mapping, prefix: str = "") -> dict[str, object]:
    """A dict of dicts as one dict with dotted keys.

    >>> flattened({"compressor": {"epochs": 2, "lr": 0.1}, "images": 64})
    {'compressor.epochs': 2, 'compressor.lr': 0.1, 'images': 64}
    """
    flat: dict[str, object] = {}
    for key, value in plan.items():
        flat |= flattened(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
