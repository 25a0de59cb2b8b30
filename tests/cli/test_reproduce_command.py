"""``tinyslim reproduce``: what it prints, what it refuses, and that it goes on."""

from __future__ import annotations

import pytest

from tinyslim.cli import main

SMALL = ["--rows", "control", "uniform", "--seeds", "1", "--epochs", "1", "--images", "32"]


@pytest.fixture
def words(tmp_path) -> list[str]:
    places = ["--out", str(tmp_path / "results"), "--scratch", str(tmp_path / "scratch")]
    return ["reproduce", "--table", "prune", *places]


def test_rows_are_measured_once_then_read(words, tmp_path, capsys):
    assert main([*words, *SMALL]) == 0
    first = capsys.readouterr().out
    assert "[1/1] baseline, seed 0: top-1" in first
    assert "[2/2] uniform, seed 0: top-1" in first
    assert "**Missing:** `uniform_fpgm` (seed 0)" in first
    assert main([*words, *SMALL]) == 0
    again = capsys.readouterr().out
    assert "[1/" not in again
    page = tmp_path / "results" / "fashion_mnist_mini" / "prune.md"
    assert page.read_text() in again
    page.unlink()
    assert main([*words, "--seeds", "1", "--report"]) == 0
    assert page.exists() and page.with_suffix(".png").exists()


def test_other_settings_are_refused(words, capsys):
    assert main([*words, *SMALL]) == 0
    assert main([*words, *SMALL, "--epochs", "2"]) == 2
    assert "compressor.epochs was 1, now 2; name another folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--data", "cifar"], "`data` (='cifar') has no tables; did you mean 'cifar10'?"),
        (["--table", "pruned"], "`table` (='pruned') is unknown; did you mean 'prune'?"),
        (["--rows", "unifrom"], "has no row 'unifrom'; did you mean 'uniform'?"),
        (["--seeds", "0"], "`--seeds` (=0) must be at least 1"),
        (["--epochs", "0"], "`epochs` (=0) of 'prune' must be at least 1"),
        (["--images", "1"], "`images` (=1) must be from 2 to 10,000"),
        (["--workers", "0"], "`--workers` (=0) must be at least 1"),
        (["--epochs", "1", "--rows", "sensitive_3_steps"], "sensitive_3_steps: config: strategies.prune changes"),
    ],
)
def test_wrong_values_are_refused_before_any_work(words, wrong, told, tmp_path, capsys):
    assert main([*words, *wrong]) == 2
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_stopped_command_says_how_to_go_on(words, capsys, monkeypatch):
    def stop(*arguments, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr("tinyslim.tables.measure_rows", stop)
    assert main([*words, *SMALL]) == 130
    assert "the same command goes on: finished rows are kept in" in capsys.readouterr().err
