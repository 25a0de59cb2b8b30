"""One row with one seed: a function of its arguments alone, so that it may run here or on another machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tinyslim import data, train
from tinyslim.data import Dataset
from tinyslim.files import write_atomically

from .records import VERSION, facts_of_machine, write_record
from .rows import Outcome, Scene
from .working import WEIGHTS


@dataclass(frozen=True)
class Task:
    """What a trial is given; all of it can be sent.

    Attributes
    ----------
    data : str
    images : int or None
    table, row, description : str
    seed : int
    plan, settings : dict
        What the row does; all that its numbers follow from, by dotted name.
    run : function
    models : dict
        The rows and seeds whose weights it starts from, as "model" and as "teacher".
    folder, path : str
        For what is made on the way, and for the record.
    """

    data: str
    images: int | None
    table: str
    row: str
    description: str
    seed: int
    plan: dict
    settings: dict
    run: Callable[[Scene], Outcome]
    models: dict[str, tuple[str, int]]
    folder: str
    path: str


@dataclass(frozen=True)
class Done:
    """What a trial gives back: its record, or what went wrong; with the weights, where others start from them."""

    task: Task
    record: dict | None
    error: str | None = None
    weights: bytes | None = None


@lru_cache(maxsize=1)
def load_images(name: str, images: int | None) -> tuple[Dataset, Dataset]:
    """The data set `name`, or so many images of each half of it, always the same ones."""
    parts = data.load(name)
    if images is None:
        return parts
    return tuple(part.subset(min(images, len(part))) for part in parts)


def run_trial(task: Task, weights: dict[str, bytes]) -> Done:
    """Run a row, starting from `weights`, and write its record the moment it is done.

    A row that fails must not stop the others, which may have hours before them: its error is told, not raised. What
    has nothing to do with the row, a full disk, a lost file, is raised.
    """
    Path(task.folder).mkdir(parents=True, exist_ok=True)
    train_set, test_set = load_images(task.data, task.images)
    models = {name: train.from_bytes(sent) for name, sent in weights.items()}
    scene = Scene(task.plan, train_set, test_set, seed=task.seed, folder=Path(task.folder), **models)
    try:
        outcome = task.run(scene)
    except ValueError as error:
        return Done(task, None, f"{type(error).__name__}: {error}")
    done = Done(task, _record(task, outcome), weights=_weights(task) if outcome.model else None)
    keep(done)
    return done


def keep(done: Done) -> None:
    """Write what a trial gave back, unless it lies there: a worker may write to another machine's disk."""
    weights, path = Path(done.task.folder, WEIGHTS), Path(done.task.path)
    if done.weights is not None and not weights.exists():
        write_atomically(weights, lambda file: file.write(done.weights))
    if done.record is not None and not path.exists():
        write_record(path, done.record)


def _weights(task: Task) -> bytes:
    return Path(task.folder, WEIGHTS).read_bytes()


def _record(task: Task, outcome: Outcome) -> dict:
    return {
        "version": VERSION,
        "data": task.data,
        "table": task.table,
        "row": task.row,
        "description": task.description,
        "seed": task.seed,
        "settings": task.settings,
        "config": outcome.config,
        "metrics": outcome.metrics,
        "history": outcome.history,
        "model": outcome.model,
        "seconds": outcome.seconds,
        **facts_of_machine(),
    }
