"""Schedules: where they begin, turn and end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyslim import optim


def test_constant_stays():
    assert {optim.constant(0.3)(step) for step in (0, 7, 10**6)} == {0.3}


def test_cosine_falls_from_lr_through_the_middle_to_its_final_value():
    schedule = optim.cosine(1.0, total=10, final=0.2)
    assert [schedule(step) for step in (0, 5, 10, 99)] == pytest.approx([1.0, 0.6, 0.2, 0.2])


def test_cosine_warms_up_in_a_straight_line():
    schedule = optim.cosine(1.0, total=12, warmup=4)
    assert [schedule(step) for step in (0, 1, 3, 4, 8, 12)] == pytest.approx([0.25, 0.5, 1.0, 1.0, 0.5, 0.0])


def test_step_decay_falls_at_its_milestones():
    schedule = optim.step_decay(1.0, (2, 5), factor=0.1)
    assert [schedule(step) for step in (1, 2, 4, 5)] == pytest.approx([1.0, 0.1, 0.1, 0.01])


def test_one_cycle_rises_to_lr_and_ends_near_zero():
    schedule = optim.one_cycle(2.0, total=100, rise=0.3, start=0.04, final=1e-4)
    assert [schedule(step) for step in (0, 15, 30, 65, 100)] == pytest.approx([0.08, 1.04, 2.0, 1.0001, 2e-4])


@given(st.sampled_from(optim.SCHEDULES), st.integers(1, 50), st.floats(1e-3, 10))
def test_every_schedule_by_name_stays_between_zero_and_lr_and_has_passed_near_lr(name, total, lr):
    rates = [optim.by_name(name, lr, total)(step) for step in range(total)]
    assert all(0 < rate <= lr * (1 + 1e-12) for rate in rates)
    if total >= 10:
        assert max(rates) >= 0.9 * lr


def test_schedule_by_name_is_the_function_of_that_name():
    for step in (0, 3, 7, 9):
        assert optim.by_name("cosine", 1.0, 10)(step) == optim.cosine(1.0, 10)(step)
        assert optim.by_name("one_cycle", 1.0, 10)(step) == optim.one_cycle(1.0, 10)(step)
        assert optim.by_name("step", 1.0, 10)(step) == optim.step_decay(1.0, (5, 7))(step)


def test_unknown_schedule_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"`schedule` \(='linear'\) must be one of constant, cosine, one_cycle, step"):
        optim.by_name("linear", 0.1, 10)


@pytest.mark.parametrize("make", [lambda: optim.cosine(0.1, 0), lambda: optim.one_cycle(0.1, 0)])
def test_schedule_over_no_steps_is_refused(make):
    with pytest.raises(ValueError, match=r"`total` \(=0\) must be above 0"):
        make()
