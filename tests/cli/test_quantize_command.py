"""``tinyslim quantize`` saves and measures what `quant.calibrate` and `freeze` make."""

from __future__ import annotations

import pytest

import tinyslim
from tinyslim import data, deploy, quant, train
from tinyslim.cli import main


@pytest.fixture
def words(model_file, photos, tmp_path):
    return ["quantize", str(model_file), "--data", str(photos), "--images", "20", "--out", str(tmp_path / "p.npz")]


def test_the_program_is_that_of_the_library(words, model_file, photos, tmp_path, capsys):
    assert main([*words, "--method", "mse", "--equalize", "--bias-correction"]) == 0
    train_set, test_set = data.from_folder(photos / "train"), data.from_folder(photos / "test")
    model = train.load(model_file)
    batch = train_set.subset(20, 0).normalized(preprocessing=model.preprocessing)
    equal = quant.equalize(model, batch[:1])
    calibrated = quant.calibrate(equal, [batch], "mse", bias_correction=True)
    expected = tinyslim.freeze(calibrated, batch[:1], train_set.classes)
    assert (tmp_path / "p.npz").read_bytes() == expected.to_bytes()
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("float32: float32, ")
    top1 = train.evaluate(expected, test_set)["top1"]
    assert printed[1] == f"{tmp_path / 'p.npz'}: int8, {expected.nbytes:,} bytes, top-1 {top1:.2%}"


def test_a_table_leaves_a_layer_in_float32(words, tmp_path):
    table = tmp_path / "bits.toml"
    table.write_text('[layers."0"]\nfloat = true\n')
    assert main([*words, "--table", str(table)]) == 0
    assert deploy.load(tmp_path / "p.npz").kind == "mixed"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--method", "mean"], "`method` (='mean') must be one of abs_max, percentile, mse, kl"),
        (["--images", "0"], "`--images` (=0) must be from 1 to 24"),
        (["--percentile", "0", "--method", "percentile"], "`percentile` (=0.0) must be above 0"),
        (["--weight-bits", "9"], "`weight_bits` (=9)"),
        (["--table", "nowhere.toml"], "`table` (='nowhere.toml'): there is no such file"),
    ],
)
def test_mistakes_are_one_line_and_leave_no_file(change, message, words, tmp_path, capsys):
    assert main([*words, *change]) == 2
    printed = capsys.readouterr().err
    assert message in printed and printed.count("\n") == 1
    assert not (tmp_path / "p.npz").exists()
