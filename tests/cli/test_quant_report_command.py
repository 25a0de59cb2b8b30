"""`tinyslim quant-report`, on a network of two layers and on a run of the Compressor."""

from __future__ import annotations

import json

import pytest

import tinyslim
from tinyslim import data, train
from tinyslim.cli import main

PICTURES = {"report.json", "noise.png", "inputs.png", "weights.png"}


def test_a_float_network_gets_ranges_and_a_report(model_file, photos, tmp_path, capsys):
    out = tmp_path / "report"
    assert main(["quant-report", str(model_file), "--data", str(photos), "--bits", "4", "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} == PICTURES
    numbers = json.loads((out / "report.json").read_text())
    assert numbers["images"] == 24 and len(numbers["layers"]) == 2 and numbers["ranges"] == {}
    assert 0 <= numbers["top1"] <= 1 and numbers["layers"][0]["inputs"]["step"] > 0
    text = capsys.readouterr().out
    assert "weight dB" in text and "see" in text and "noise.png" in text


@pytest.fixture(scope="module")
def finished_run(model_file, photos, tmp_path_factory):
    sets = data.from_folder(photos / "train"), data.from_folder(photos / "test")
    config = {
        "compressor": {"epochs": 3, "batch_size": 8, "lr": 0.01},
        "strategies": {"rounding": {"class": "QuantizationStrategy", "start_epoch": 1}},
    }
    out = tmp_path_factory.mktemp("runs") / "quant"
    return tinyslim.Compressor(train.load(model_file), *sets, config, out=out, quiet=True).run()


def test_a_run_tells_its_ranges_by_epoch(finished_run, photos, tmp_path):
    noted = finished_run.metrics["strategies"]["rounding"]["ranges"]
    assert all(len(ends) == 2 for ends in noted.values())
    last = {path: list(ends) for path, ends in tinyslim.quant.ranges(finished_run.model).items()}
    assert {path: ends[-1] for path, ends in noted.items()} == last
    out = tmp_path / "report"
    assert main(["quant-report", str(finished_run.out), "--data", str(photos), "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} == PICTURES | {"ranges.png"}
    assert json.loads((out / "report.json").read_text())["ranges"] == noted


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--images", "0"], "`--images` (=0) must be at least 1"), (["--bits", "9"], "`weight_bits` (=9)")],
)
def test_wrong_words_are_one_line(words, message, model_file, photos, capsys, tmp_path):
    words = ["quant-report", str(model_file), "--data", str(photos), "--out", str(tmp_path / "r"), *words]
    assert main(words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_bits_of_a_quantised_network_are_not_changed(finished_run, photos, capsys):
    assert main(["quant-report", str(finished_run.out), "--data", str(photos), "--bits", "4"]) == 2
    assert "is for float networks" in capsys.readouterr().err
