"""Pictures say what the numbers say, and touch no global state of matplotlib."""

from __future__ import annotations

import sys

import pytest

from tinyslim import report


@pytest.fixture
def metrics() -> dict:
    return {
        "before": {"top1": 0.93, "bytes": 900_000},
        "after": {"top1": 0.92, "bytes": 180_000},
        "size_reduction": 0.8,
        "difference": {"change": -0.01, "low": -0.014, "high": -0.006},
    }


@pytest.fixture
def history() -> list[dict]:
    return [{"epoch": 1, "train_top1": 0.8}, {"epoch": 2, "train_top1": 0.9, "top1": 0.92}]


def test_the_points_stand_at_size_and_accuracy(metrics, history):
    left, right = report.compression_figure(metrics, history).axes
    places = [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in left.lines]
    assert places == [(900.0, 93.0), (180.0, 92.0)]
    low, high = left.collections[0].get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((91.6, 92.4))
    assert "80.0% smaller" in left.get_title() and "−1.00 points" in left.get_title()
    assert [line.get_ydata()[-1] for line in right.lines[:2]] == [90.0, 92.0]


def test_epochs_that_were_not_tested_leave_no_point(history):
    axes = report.training_figure(history).axes[0]
    assert [list(line.get_xdata()) for line in axes.lines] == [[1, 2], [2]]
    assert len(report.training_figure(history[:1]).axes[0].lines) == 1


def test_a_saved_picture_is_a_whole_png_and_the_same_each_time(metrics, history, tmp_path):
    for name in ("a", "b"):
        report.save_compression_figure(metrics, history, tmp_path / name)
    contents = (tmp_path / "a").read_bytes()
    assert contents.startswith(b"\x89PNG") and contents.endswith(b"IEND\xaeB`\x82")
    assert contents == (tmp_path / "b").read_bytes()


def test_nobodys_backend_is_touched(history):
    before = sys.modules.get("matplotlib.pyplot")
    report.training_figure(history)
    assert sys.modules.get("matplotlib.pyplot") is before
