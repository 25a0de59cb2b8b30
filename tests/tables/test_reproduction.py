"""Rows leave records that follow from data, row, seed and settings alone, however often they are stopped."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import ClassVar

import pytest

from tinyslim.compress import Strategy, register
from tinyslim.tables import Row, measure_rows, read_record, rows_of
from tinyslim.tables.records import write_record
from tinyslim.tables.working import compress


@register
class StopOnce(Strategy):
    """Presses Ctrl-C once, before the second epoch."""

    armed: ClassVar[bool] = False

    def on_epoch_begin(self, context):
        if type(self).armed and context.epoch == 1:
            type(self).armed = False
            raise KeyboardInterrupt


@register
class Breaks(Strategy):
    """Can't do what it is asked for, and notices late."""

    def on_epoch_end(self, context):
        raise ValueError("no such thing")


def row_with(kind: str) -> Row:
    def plan(benchmark, seed):
        return {"compressor": {"epochs": 2, "seed": seed}, "strategies": {"extra": {"class": kind}}}

    return Row(kind.lower(), "for a test", plan, compress)


@pytest.fixture
def copied(measured, tmp_path):
    """The measured rows, to be changed."""
    shutil.copytree(measured, tmp_path / "copy")
    return tmp_path / "copy"


def measure(folder, benchmark, rows, seeds=range(1), **more) -> list[str]:
    """What is measured now, by row and seed; failures are returned behind."""
    told = []
    failed = measure_rows(
        benchmark,
        "prune",
        rows,
        seeds,
        folder / "results",
        folder / "scratch",
        on_trial=lambda done, number, of: told.append(f"{done.task.row} {done.task.seed}"),
        **more,
    )
    return told + failed


def record(folder, name: str, table: str = "prune") -> dict:
    return read_record(folder / "results" / "fashion_mnist_mini" / table / f"{name}.json")


#: What a clock says, and on how many threads it said it.
CLOCK = {"seconds", "latency_ms", "threads"}


def numbers(found: dict) -> dict:
    """A record without what a clock says."""

    def timeless(value):
        if isinstance(value, dict):
            return {
                key: timeless(item) for key, item in value.items() if key not in ("seconds", "latency_ms", "threads")
            }
        return [timeless(item) for item in value] if isinstance(value, list) else value

    return timeless(found)


CONTROL, RANDOM = rows_of("prune", ["control", "uniform_random"])


def test_each_row_and_seed_leaves_a_record_of_what_was_measured(measured):
    found = record(measured, "uniform_random-seed1")
    assert (found["row"], found["seed"], len(found["history"])) == ("uniform_random", 1, 2)
    metrics = found["metrics"]
    assert metrics["after"]["flops"] < 0.52 * metrics["before"]["flops"]
    assert metrics["top1_after_cut"] == found["history"][0]["top1_after_cut"]
    assert found["config"]["strategies"]["prune"]["criterion"] == "random"
    assert {"numpy", "numba", "tinyslim"} <= set(found["versions"])
    assert record(measured, "control-seed0")["metrics"]["top1_after_cut"] is None


def test_rows_of_a_seed_start_from_the_baseline_of_that_seed(measured):
    for seed in range(2):
        baseline = record(measured, f"baseline-seed{seed}", "start")
        row = record(measured, f"control-seed{seed}")
        assert row["settings"]["model"] == baseline["model"]
        assert row["metrics"]["before"]["top1"] == baseline["metrics"]["after"]["top1"]


def test_seeds_change_the_numbers(measured):
    one, other = (numbers(record(measured, f"uniform_random-seed{seed}")) for seed in range(2))
    assert one["history"] != other["history"]


def test_what_is_there_is_not_measured_again(measured, small):
    assert measure(measured, small, (CONTROL, RANDOM), range(2)) == []


def test_same_row_and_seed_give_the_same_numbers_elsewhere(measured, small, tmp_path):
    with ThreadPoolExecutor(1) as executor:
        assert measure(tmp_path, small, [RANDOM], executor=executor) == ["baseline 0", "uniform_random 0"]
    assert numbers(record(tmp_path, "uniform_random-seed0")) == numbers(record(measured, "uniform_random-seed0"))


def test_kill_between_two_rows_loses_none(small, tmp_path):
    def stop(done, number, of):
        raise KeyboardInterrupt

    for left in ("baseline-seed0", "control-seed0"):
        with pytest.raises(KeyboardInterrupt):
            measure_rows(
                small, "prune", [CONTROL, RANDOM], [0], tmp_path / "results", tmp_path / "scratch", on_trial=stop
            )
        assert record(tmp_path, left, "start" if left.startswith("baseline") else "prune")
    assert measure(tmp_path, small, [CONTROL, RANDOM]) == ["uniform_random 0"]


def test_row_that_was_killed_in_the_middle_goes_on_to_the_same_numbers(small, tmp_path):
    row = row_with("StopOnce")
    measure(tmp_path / "unbroken", small, [row])
    StopOnce.armed = True
    with pytest.raises(KeyboardInterrupt):
        measure(tmp_path / "broken", small, [row])
    (checkpoint,) = (tmp_path / "broken" / "scratch").rglob("stoponce-seed0-*/checkpoint.npz")
    assert checkpoint.stat().st_size > 0
    assert measure(tmp_path / "broken", small, [row]) == ["stoponce 0"]
    broken, unbroken = (record(tmp_path / name, "stoponce-seed0") for name in ("broken", "unbroken"))
    assert numbers(broken) == numbers(unbroken)


def test_kill_after_the_last_epoch_trains_nothing_again(copied, small):
    was = record(copied, "control-seed0")
    (copied / "results" / "fashion_mnist_mini" / "prune" / "control-seed0.json").unlink()
    assert measure(copied, small, [CONTROL]) == ["control 0"]
    # Even the seconds are those of the run that had ended.
    assert record(copied, "control-seed0") == was


def test_other_settings_are_refused_before_any_row_runs(copied, small):
    longer = replace(small, epochs={"prune": 3})
    with pytest.raises(
        ValueError, match=r"uniform_random-seed1.json.*compressor.epochs was 2, now 3; name another folder"
    ):
        measure(copied, longer, [RANDOM, CONTROL], [1, 0])
    other = replace(small, images=65)
    with pytest.raises(ValueError, match=r"baseline-seed0.json.*test_data was .*64 images.*now .*65 images"):
        measure(copied, other, [CONTROL])


def test_weights_that_are_gone_are_made_again(copied, small):
    shutil.rmtree(copied / "scratch")
    (copied / "results" / "fashion_mnist_mini" / "prune" / "control-seed1.json").unlink()
    assert measure(copied, small, [CONTROL, RANDOM], range(2)) == ["control 1"]


def test_weights_of_another_network_than_the_record_tells_of_are_refused(copied, small):
    shutil.rmtree(copied / "scratch")
    path = copied / "results" / "fashion_mnist_mini" / "start" / "baseline-seed0.json"
    forged = read_record(path) | {"model": "0123456789abcdef"}
    write_record(path, forged)
    for row in ("control", "uniform_random"):
        (copied / "results" / "fashion_mnist_mini" / "prune" / f"{row}-seed0.json").unlink()
    with pytest.raises(ValueError, match=r"weights of baseline, seed 0, are gone .* differ; remove"):
        measure(copied, small, [CONTROL])


def test_row_that_fails_is_told_and_the_others_go_on(small, tmp_path):
    told = measure(tmp_path, small, [row_with("Breaks"), CONTROL])
    assert told == [
        "baseline 0",
        "breaks 0",
        "control 0",
        "breaks, seed 0: ValueError: strategies.extra: no such thing",
    ]
    assert not (tmp_path / "results" / "fashion_mnist_mini" / "prune" / "breaks-seed0.json").exists()


def test_plan_that_cannot_work_is_refused_with_its_row_before_anything_runs(small, tmp_path):
    with pytest.raises(ValueError, match=r"sensitive_3_steps: .*changes the model in epoch 2"):
        measure(tmp_path, small, rows_of("prune", ["control", "sensitive_3_steps"]))
    assert not (tmp_path / "results").exists()


def test_teacher_is_made_for_the_rows_that_ask_for_one(small, tmp_path):
    told = []
    rows = rows_of("recipes", ["control", "distill"])
    failed = measure_rows(
        small, "recipes", rows, [0], tmp_path / "results", tmp_path / "scratch",
        on_trial=lambda done, number, of: told.append(done.task.row),
    )  # fmt: skip
    assert (told, failed) == (["baseline", "teacher", "control", "distill"], [])
    settings = record(tmp_path, "distill-seed0", "recipes")["settings"]
    assert settings["teacher"] == record(tmp_path, "teacher-seed0", "start")["model"]
    assert "teacher" not in record(tmp_path, "control-seed0", "recipes")["settings"]


def test_records_are_json_without_a_path_of_this_machine(measured):
    for path in (measured / "results").rglob("*.json"):
        assert str(measured) not in path.read_text()
        assert json.loads(path.read_text())["sha256"]
