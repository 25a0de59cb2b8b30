"""What a compression returns, writes and prints."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tinyslim
from tinyslim import deploy, graph, nn, train
from tinyslim.compress import Compressor
from tinyslim.data import Dataset

COLUMN = {"top1", "top5", "params", "flops", "bytes", "latency_ms"}


@pytest.fixture(scope="module")
def result(trained, train_set, test_set, tmp_path_factory):
    config = {
        "compressor": {"epochs": 2, "batch_size": 16, "lr": 0.02},
        "strategies": {
            "prune": {"class": "UniformPruneStrategy", "target_ratio": 0.4},
            "quant": {"class": "QuantizationStrategy", "start_epoch": 1},
        },
    }
    return Compressor(trained, train_set, test_set, config, out=tmp_path_factory.mktemp("out"), quiet=True).run()


def test_metrics_have_the_agreed_shape(result):
    assert set(result.metrics["before"]) == set(result.metrics["after"]) == COLUMN
    before, after = result.metrics["before"], result.metrics["after"]
    assert result.metrics["size_reduction"] == 1 - after["bytes"] / before["bytes"]
    assert json.loads((result.out / "metrics.json").read_text()) == result.metrics


def test_the_before_column_is_the_float32_program_of_the_model_as_it_came(result, trained, train_set, test_set):
    example = train_set.normalized(slice(0, 1))
    program = tinyslim.freeze(trained, example, test_set.classes)
    assert result.metrics["before"]["bytes"] == program.nbytes
    assert result.metrics["before"]["top1"] == train.evaluate(program, test_set)["top1"]
    assert result.metrics["before"]["flops"] == graph.summary(trained, example).flops


def test_the_after_column_is_the_saved_program_on_uint8_images(result, test_set):
    path = result.out / "program.npz"
    program = deploy.load(path)
    assert program.kind == "int8"
    assert program.classes == test_set.classes
    assert result.metrics["after"]["bytes"] == path.stat().st_size
    right = program.run(test_set.images).argmax(axis=1) == test_set.labels
    assert result.metrics["after"]["top1"] == pytest.approx(right.mean())


def test_the_saved_model_freezes_to_the_saved_program(result, train_set, test_set):
    model = train.load(result.out / "model.npz")
    program = tinyslim.freeze(model, train_set.normalized(slice(0, 1)), test_set.classes)
    assert program.to_bytes() == (result.out / "program.npz").read_bytes()


def test_the_model_that_was_handed_in_stays_as_it_was(trained, train_set, test_set, everything, tmp_path):
    before = {name: array.copy() for name, array in trained.state_dict().items()}
    Compressor(trained, train_set, test_set, everything, out=tmp_path, quiet=True).run()
    assert all(np.array_equal(array, before[name]) for name, array in trained.state_dict().items())


def test_a_teacher_stays_as_it_was(trained, untrained, train_set, test_set, everything, tmp_path):
    before = {name: array.copy() for name, array in untrained.state_dict().items()}
    untrained.train()
    Compressor(trained, train_set, test_set, everything, out=tmp_path, teacher=untrained, quiet=True).run()
    assert all(np.array_equal(array, before[name]) for name, array in untrained.state_dict().items())
    assert untrained.training


def test_the_plan_comes_first_and_the_table_last(trained, train_set, test_set, everything, tmp_path, capsys):
    Compressor(trained, train_set, test_set, everything, out=tmp_path).run()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "custom: 3 epochs of 96 images in batches of 16, learning rate 0.02 (cosine), seed 0"
    assert "  prune   before epoch 1: remove 40 % of the FLOPs by l1_norm" in lines
    assert any(line.startswith("  quant   epochs 2–3: train with weights of 8 bits") for line in lines)
    first_epoch = next(i for i, line in enumerate(lines) if line.startswith("epoch 1/3"))
    headings = [i for i, line in enumerate(lines) if "top-1" in line or "bytes" in line or "ms an image" in line]
    assert first_epoch > 4 and headings[-1] > first_epoch
    assert any("95 % interval" in line and "McNemar's p" in line for line in lines)


def test_quiet_prints_nothing(result, capsys):
    assert capsys.readouterr().out == ""


def test_the_model_is_tested_as_often_as_eval_epoch_says(trained, train_set, test_set, tmp_path):
    config = {"compressor": {"epochs": 5, "eval_epoch": 2, "batch_size": 96}}
    history = Compressor(trained, train_set, test_set, config, out=tmp_path, quiet=True).run().history
    assert ["top1" in entry for entry in history] == [False, True, False, True, True]
    assert [entry["epoch"] for entry in history] == [1, 2, 3, 4, 5]


def test_a_model_that_does_not_fit_the_data_is_refused_before_any_work(train_set, test_set, trained, tmp_path):
    config = {"compressor": {"epochs": 1}}
    colour = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GlobalAvgPool2d(), nn.Linear(4, 3))
    with pytest.raises(ValueError, match=r"`model` can't take the images of `train_data`, Dataset\(96 images of 8×8×1"):
        Compressor(colour, train_set, test_set, config, out=tmp_path)
    ten = nn.Sequential(nn.GlobalAvgPool2d(), nn.Linear(1, 10))
    with pytest.raises(ValueError, match=r"logits of shape \(10,\); `train_data` has 3 classes"):
        Compressor(ten, train_set, test_set, config, out=tmp_path)
    other = Dataset(test_set.images, test_set.labels, ("a", "b", "c"))
    with pytest.raises(ValueError, match=r"`test_data` has the classes \('a', 'b', 'c'\), `train_data`"):
        Compressor(trained, train_set, other, config, out=tmp_path)
    larger = Dataset(test_set.images.repeat(2, axis=1), test_set.labels, test_set.classes)
    with pytest.raises(ValueError, match="their images must be of one size"):
        Compressor(trained, train_set, larger, config, out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_teacher_of_other_classes_is_refused_before_any_work(trained, train_set, test_set, everything, tmp_path):
    teacher = nn.Sequential(nn.GlobalAvgPool2d(), nn.Linear(1, 7))
    with pytest.raises(ValueError, match=r"strategies\.distil: the student's logits of shape \(1, 3\) .* \(1, 7\)"):
        Compressor(trained, train_set, test_set, everything, out=tmp_path, teacher=teacher, quiet=True).run()
    assert not list(tmp_path.iterdir())


def test_the_same_seed_gives_the_same_bytes_at_another_time_and_place(
    trained, train_set, test_set, everything, tmp_path
):
    runs = [
        Compressor(trained, train_set, test_set, everything, out=tmp_path / name, quiet=True).run()
        for name in ("a", "b")
    ]
    for file in ("program.npz", "model.npz"):
        assert (runs[0].out / file).read_bytes() == (runs[1].out / file).read_bytes()
