"""From a benchmark and some rows to records on the disk; those that are there are left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tinyslim import train
from tinyslim.trials import ExecutorOrMaker, run_trials

from .benchmarks import Benchmark
from .records import kept_record, read_record, record_path, settings_digest
from .row_trial import Done, Task, keep, load_images, run_trial
from .rows import Row, asks_for_teacher, flattened
from .start_rows import BASELINE, START, TEACHER
from .working import WEIGHTS

#: Told of each trial that ends, its number, and how many there are.
OnTrial = Callable[[Done, int, int], None]


def measure_rows(
    benchmark: Benchmark,
    table: str,
    rows: Sequence[Row],
    seeds: Sequence[int],
    out="results",
    scratch="runs/reproduce",
    executor: ExecutorOrMaker | None = None,
    on_trial: OnTrial = lambda done, number, of: None,
) -> list[str]:
    """Measure each of `rows` with each of `seeds`, and before them the baseline and the teacher that they need.

    Each trial leaves its record in ``out/DATA/TABLE/ROW-seedN.json`` at once. One that is there is not run again. What
    was killed in the middle goes on from what it left in `scratch`.

    Parameters
    ----------
    benchmark : Benchmark
    table : str
    rows : sequence of Row
    seeds : sequence of int
    out, scratch : str or Path
        For the records; for weights, checkpoints and Programs.
    executor : Executor, or a function that makes one; optional
        See `run_trials`.
    on_trial : function

    Returns
    -------
    list of str
        What failed, a line each.

    Raises
    ------
    ValueError
        When a record is there that was measured with other settings, or a plan can't work: before any row runs.
    """
    work = _Work(benchmark, Path(out).resolve(), Path(scratch).resolve(), executor, on_trial)
    plans = {(seed, row): row.plan(benchmark, seed) for seed in seeds for row in rows}
    teachers = {(seed, row) for (seed, row), plan in plans.items() if _wants_teacher(row, plan)}
    starts = {benchmark.start_seed(seed): None for seed in seeds}
    first = [work.task(START, BASELINE, seed, BASELINE.plan(benchmark, seed)) for seed in starts]
    first += [work.task(START, TEACHER, 0, TEACHER.plan(benchmark, 0))] if teachers else []
    failed = work.run(work.missing(first))
    if failed:
        return failed
    # Seed by seed: a table with one number a row is worth more than a row with all of its numbers.
    tasks = [
        work.task(table, row, seed, plan, _models(benchmark, seed, (seed, row) in teachers))
        for (seed, row), plan in plans.items()
    ]
    pending = work.missing(tasks)
    if pending:
        work.find_weights(first)
    return failed + work.run(pending)


def _wants_teacher(row: Row, plan: dict) -> bool:
    """Whether a plan asks for a teacher; one that can't work is refused with its row's name."""
    try:
        return asks_for_teacher(plan)
    except ValueError as error:
        raise ValueError(f"{row.name}: {error}") from None


def _models(benchmark: Benchmark, seed: int, teacher: bool) -> dict[str, tuple[str, int]]:
    """The rows and seeds whose weights a trial starts from, by the names that a `Task` has for them."""
    baseline = {"model": (BASELINE.name, benchmark.start_seed(seed))}
    return baseline | ({"teacher": (TEACHER.name, 0)} if teacher else {})


@dataclass
class _Work:
    """What all trials of a command share."""

    benchmark: Benchmark
    out: Path
    scratch: Path
    executor: ExecutorOrMaker | None
    on_trial: OnTrial
    starts: dict[tuple[str, int], Task] = field(default_factory=dict)
    weights: dict[tuple[str, int], bytes] = field(default_factory=dict)

    def __post_init__(self):
        parts = load_images(self.benchmark.data, self.benchmark.images)
        self.images = dict(zip(("train_data", "test_data"), map(train.data_digest, parts), strict=True))

    def task(self, table: str, row: Row, seed: int, plan: dict, models: dict | None = None) -> Task:
        """The trial of a row with a seed; `models` name the rows whose weights it starts from."""
        data = self.benchmark.data
        digests = {name: read_record(self.starts[start].path)["model"] for name, start in (models or {}).items()}
        settings = flattened(plan) | self.images | digests
        folder = self.scratch / data / table / f"{row.name}-seed{seed}-{settings_digest(settings)}"
        path = record_path(self.out, data, table, row.name, seed)
        made = Task(
            data, self.benchmark.images, table, row.name, row.description, seed,
            plan, settings, row.run, models or {}, str(folder), str(path),
        )  # fmt: skip
        if table == START:
            self.starts[row.name, seed] = made
        return made

    def missing(self, tasks: Iterable[Task]) -> list[Task]:
        """Those of which there is no record."""
        return [task for task in tasks if kept_record(task.path, task.settings) is None]

    def run(self, tasks: Sequence[Task]) -> list[str]:
        """Run trials; returns what failed, a line each."""
        failed = []
        given = ((task, {name: self.weights[start] for name, start in task.models.items()}) for task in tasks)
        for number, done in enumerate(run_trials(run_trial, given, self.executor), 1):
            keep(done)
            self.on_trial(done, number, len(tasks))
            if done.error:
                failed.append(f"{done.task.row}, seed {done.task.seed}: {done.error}")
        return failed

    def find_weights(self, first: Iterable[Task]) -> None:
        """Have the weights at hand that rows start from, and make those again whose file is gone."""
        gone = [task for task in first if not Path(task.folder, WEIGHTS).exists()]
        for done in run_trials(run_trial, ((task, {}) for task in gone), self.executor):
            keep(done)
            known = read_record(done.task.path)["model"]
            if done.error or done.record["model"] != known:
                raise ValueError(
                    f"the weights of {done.task.row}, seed {done.task.seed}, are gone from {done.task.folder}, and "
                    f"those made anew differ{f': {done.error}' if done.error else ''}; remove {done.task.path} and all "
                    "that started from it"
                )
        self.weights = {(task.row, task.seed): Path(task.folder, WEIGHTS).read_bytes() for task in first}
