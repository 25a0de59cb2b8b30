"""A page and a picture come from files alone, and tell what is missing."""

from __future__ import annotations

import copy
import shutil
from statistics import mean, stdev

import pytest

from tinyslim.tables import page, read_summary, summarize, write_report
from tinyslim.tables.records import read_table

DATA = "fashion_mnist_mini"


@pytest.fixture(scope="module")
def records(measured):
    return read_table(measured / "results" / DATA / "prune")


@pytest.fixture(scope="module")
def starts(measured):
    return read_table(measured / "results" / DATA / "start")


@pytest.fixture
def summarized(records, starts):
    def of(records=records, seeds=range(2), starts=starts):
        return summarize(DATA, "prune", ["control", "uniform", "uniform_random"], seeds, records, starts)

    return of


def top1(records, row: str, when: str = "after") -> list[float]:
    return [record["metrics"][when]["top1"] for record in records if record["row"] == row]


def test_lines_hold_mean_and_standard_deviation_over_the_seeds(records, summarized):
    baseline, control, random = summarized().lines
    assert [line.name for line in (baseline, control, random)] == ["baseline", "control", "uniform_random"]
    scores = top1(records, "uniform_random")
    assert random.top1.mean == pytest.approx(mean(scores))
    assert random.top1.deviation == pytest.approx(stdev(scores))
    assert random.seeds == (0, 1)
    assert baseline.top1.mean == pytest.approx(mean(top1(records, "control", "before")))


def test_differences_are_taken_seed_by_seed(records, summarized):
    _, control, random = summarized().lines
    scores, controls = top1(records, "uniform_random"), top1(records, "control")
    differences = [a - b for a, b in zip(scores, controls, strict=True)]
    assert random.to_control.mean == pytest.approx(mean(differences))
    assert random.to_control.deviation == pytest.approx(stdev(differences))
    before = top1(records, "uniform_random", "before")
    assert random.to_baseline.mean == pytest.approx(mean(a - b for a, b in zip(scores, before, strict=True)))
    assert control.to_control is None


def test_one_seed_has_no_deviation(summarized):
    *_, random = summarized(seeds=[1]).lines
    assert (random.seeds, random.top1.deviation) == ((1,), None)


def test_missing_rows_and_seeds_are_named_not_invented(records, summarized):
    absent = [record for record in records if (record["row"], record["seed"]) != ("control", 1)]
    found = summarized(absent, seeds=range(3))
    assert found.missing == {"control": (1, 2), "uniform": (0, 1, 2), "uniform_random": (2,)}
    text = page(found, "prune.png")
    assert "**Missing:** `control` (seed 1, 2), `uniform` (seed 0, 1, 2), `uniform_random` (seed 2)." in text
    assert "| `uniform` |" not in text


def test_table_without_records_says_so(summarized):
    found = summarized([])
    assert found.lines == ()
    assert "There is no record yet." in page(found, "prune.png")


def test_rows_that_the_table_does_not_know_come_last(records, summarized):
    other = [record | {"row": "mine"} for record in records if record["row"] == "control"]
    assert summarized([*other, *records]).lines[-1].name == "mine"


def test_page_has_a_row_for_each_line(summarized):
    lines = [line for line in page(summarized(), "prune.png").splitlines() if line.startswith("| `")]
    assert [line.split("|")[1].strip() for line in lines] == ["`baseline`", "`control`", "`uniform_random`"]
    assert " ± " in lines[2] and "(−" in lines[2]


def test_seeds_that_were_measured_otherwise_are_refused(records, summarized):
    changed = copy.deepcopy(records)
    changed[0]["settings"]["compressor.epochs"] = 99
    with pytest.raises(ValueError, match=r"measured otherwise than seed 0: compressor.epochs was 99, now 2"):
        summarized(changed)


def test_rows_on_other_images_are_refused(records, summarized):
    changed = copy.deepcopy(records)
    for record in changed:
        if record["row"] == "uniform_random":
            record["settings"]["test_data"] = "other images"
    with pytest.raises(ValueError, match="uniform_random, seed 0: test_data is other images"):
        summarized(changed)


def test_row_that_started_from_another_baseline_is_refused(records, summarized, starts):
    with pytest.raises(ValueError, match="started from weights that no baseline's record tells of"):
        summarized(starts=[record | {"model": "another"} for record in starts])


def test_report_is_made_from_the_files_alone(measured, tmp_path):
    shutil.copytree(measured / "results", tmp_path / "elsewhere")
    summary = read_summary(DATA, "prune", range(2), tmp_path / "elsewhere")
    text, picture = write_report(summary, tmp_path / "elsewhere")
    assert text.read_text() == page(summary, "prune.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    again = picture.read_bytes()
    write_report(summary, tmp_path / "elsewhere")
    assert picture.read_bytes() == again


def test_report_refuses_a_file_that_was_edited(measured, tmp_path):
    shutil.copytree(measured / "results", tmp_path / "elsewhere")
    path = tmp_path / "elsewhere" / DATA / "prune" / "control-seed0.json"
    path.write_text(path.read_text().replace('"seed": 0,', '"seed": 1,', 1))
    with pytest.raises(ValueError, match=r"control-seed0.json' was changed after it was written"):
        read_summary(DATA, "prune", range(2), tmp_path / "elsewhere")


def test_report_of_nothing_is_a_page_without_a_picture(tmp_path):
    text, picture = write_report(read_summary("cifar10", "quant", range(3), tmp_path), tmp_path)
    assert picture is None
    assert "qat_moving_average_channel" in text.read_text()
