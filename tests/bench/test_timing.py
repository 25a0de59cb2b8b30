"""Functions are timed by turns, and their medians are told so that they can be read."""

from __future__ import annotations

import time
from itertools import groupby

import pytest

from tinyslim.bench import Timing, by_turns, timing


@pytest.fixture(autouse=True)
def impatience(monkeypatch):
    """Nothing but the order matters here."""
    monkeypatch.setattr(timing, "PAUSE", 0.0)
    monkeypatch.setattr(timing, "WARM_UP", 0.0)


def test_functions_are_called_by_turns_and_only_the_counted_calls_are_timed(monkeypatch):
    monkeypatch.setattr(timing, "STRETCH", 0.0)
    calls = []
    timings = by_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=4, warm_up=1, turns=2)
    assert "".join(calls) == "aaabbb" * 2
    assert {name: timing.repeats for name, timing in timings.items()} == {"a": 4, "b": 4}


def test_short_functions_are_called_more_often_than_asked(monkeypatch):
    monkeypatch.setattr(timing, "STRETCH", 0.002)
    calls = []
    timings = by_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=2, turns=2)
    assert [name for name, _ in groupby(calls)] == ["a", "b"] * 2
    assert timings["a"].repeats > 10


def test_the_slower_function_has_the_larger_median():
    timings = by_turns({"slow": lambda: time.sleep(0.004), "fast": lambda: None}, repeats=8, warm_up=0, turns=2)
    assert timings["slow"].median >= 4 > timings["fast"].median


def test_quartiles_surround_the_median():
    timing = Timing.of([0.001, 0.002, 0.003, 0.004, 0.005])
    assert timing.median == pytest.approx(3.0)
    assert timing.low < timing.median < timing.high
    assert str(timing) == "3.00 ms (1.50 … 4.50)"


def test_no_call_at_all_is_refused():
    with pytest.raises(ValueError, match=r"`repeats` \(=0\) must be at least 1"):
        by_turns({"a": time.time}, repeats=0)
