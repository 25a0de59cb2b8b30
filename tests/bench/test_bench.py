import time

import pytest

from tinyslim.bench import Timing, by_turns, train_step


def test_functions_are_called_by_turns_and_only_the_counted_calls_are_timed():
    calls = []
    timings = by_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=4, warm_up=1, turns=2)
    assert "".join(calls) == "aaabbb" * 2
    assert set(timings) == {"a", "b"}


def test_the_slower_function_has_the_larger_median():
    timings = by_turns({"slow": lambda: time.sleep(0.004), "fast": lambda: None}, repeats=8, warm_up=0, turns=2)
    assert timings["slow"].median >= 4 > timings["fast"].median


def test_quartiles_surround_the_median():
    timing = Timing.of([0.001, 0.002, 0.003, 0.004, 0.005])
    assert timing.median == pytest.approx(3.0)
    assert timing.low < timing.median < timing.high
    assert str(timing) == "3.0 ms (1.5 … 4.5)"


def test_the_step_that_is_timed_really_trains():
    step = train_step(batch=8, side=16, width=0.125, num_classes=4)
    losses = [step() for _ in range(30)]
    assert losses[-1] < 0.7 * losses[0]
