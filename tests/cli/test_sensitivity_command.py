"""``tinyslim sensitivity`` prints and keeps what `prune.sensitivity` measures, wherever its trials run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from tinyslim import data, prune, train
from tinyslim.cli import main

RATIOS = ("--ratios", "0.25", "0.5")


@pytest.fixture
def words(model_file, photos, tmp_path):
    out = tmp_path / "kept.json"
    return ["sensitivity", str(model_file), "--data", str(photos), "--images", "20", "--out", str(out), *RATIOS]


def test_the_numbers_are_printed_kept_and_drawn(words, model_file, photos, tmp_path, capsys):
    assert main([*words, "--png", str(tmp_path / "curves.png"), "--losses", "0.1"]) == 0
    printed = capsys.readouterr().out
    train_set = data.from_folder(photos / "train")
    expected = prune.sensitivity(
        train.load(model_file), train_set.normalized(slice(0, 1)), prune.SubsetTop1(train_set, 20), (0.25, 0.5)
    )
    assert prune.Sensitivity.load(tmp_path / "kept.json") == expected
    assert str(expected) in printed and str(expected.suggest([0.1])) in printed
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_workers_measure_the_same(words, tmp_path, capsys):
    assert main(words) == 0
    here = (tmp_path / "kept.json").read_text()
    (tmp_path / "kept.json").unlink()
    assert main([*words, "--workers", "1"]) == 0
    assert (tmp_path / "kept.json").read_text() == here


def test_a_stopped_command_says_how_to_go_on(words, tmp_path, capsys, monkeypatch):
    measure, asked = prune.SubsetTop1.__call__, []

    def stopping(self, model):
        if len(asked) == 2:
            raise KeyboardInterrupt
        return asked.append(1) or measure(self, model)

    with monkeypatch.context() as patch:
        patch.setattr(prune.SubsetTop1, "__call__", stopping)
        assert main(words) == 130
    assert "the same command goes on with" in capsys.readouterr().err
    assert json.loads((tmp_path / "kept.json").read_text())["trials_left"] == 1
    assert main(words) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--workers", "0"], "`--workers` (=0) must be at least 1"),
        (["--images", "0"], "`--images` (=0) must be at least 1"),
        (["--ratios", "1.5"], "`ratios` (=(1.5,)) must rise"),
        (["--set", "width=2"], "`--set` is for networks by name"),
    ],
)
def test_mistakes_are_one_line(change, message, words, capsys):
    assert main([*words, *change]) == 2
    printed = capsys.readouterr().err
    assert message in printed and printed.count("\n") == 1


def test_without_dask_it_is_told_how_to_get_it(words, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main([*words, "--dask", "tcp://127.0.0.1:1"]) == 2
    assert "pip install 'tinyslim[dask]'" in capsys.readouterr().err


def test_a_network_by_name_fits_the_data(photos, tmp_path, capsys):
    words = ["sensitivity", "mobilenet_v1", "--set", "width=0.0625", "--set", "stem_stride=1", "--data", str(photos)]
    words += ["--images", "4", "--ratios", "0.5", "--pruned-params", "stem.*", "--out", str(tmp_path / "kept.json")]
    assert main(words) == 0
    assert "stem.conv" in capsys.readouterr().out


KILLED = """
import os, signal, sys
from tinyslim import prune
from tinyslim.cli import main
measure, asked = prune.SubsetTop1.__call__, []
def killing(self, model):
    if len(asked) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return asked.append(1) or measure(self, model)
prune.SubsetTop1.__call__ = killing
main(sys.argv[1:])
"""


def test_a_killed_command_goes_on_with_what_it_had_measured(words, tmp_path, capsys, monkeypatch):
    assert main(words) == 0
    whole, printed = (tmp_path / "kept.json").read_bytes(), capsys.readouterr().out
    (tmp_path / "kept.json").unlink()
    assert subprocess.run([sys.executable, "-c", KILLED, *words]).returncode == -signal.SIGKILL
    assert json.loads((tmp_path / "kept.json").read_text())["trials_left"] == 1
    asked, measure = [], prune.SubsetTop1.__call__
    monkeypatch.setattr(prune.SubsetTop1, "__call__", lambda self, model: asked.append(1) or measure(self, model))
    assert main(words) == 0
    # The whole network once more, to see that nothing changed, and the one trial that was left.
    assert len(asked) == 2
    assert (tmp_path / "kept.json").read_bytes() == whole
    assert capsys.readouterr().out == printed
