from __future__ import annotations

import math
from itertools import islice

import numpy as np
import pytest

from tinyslim.prune.annealing import SURVEYED, Cooling, acceptance, anneal

CONSTANT = {"reduce_rate": 1.0}


def near(state: int, rng: np.random.Generator) -> int:
    """One to the left or to the right on a ring of 24."""
    return (state + rng.choice((-1, 1))) % 24


def hills(states: list[int]) -> list[float]:
    """Hills at 2, 10 and 18, each higher than the one before."""
    return [0.3 * math.sin(2 * math.pi * state / 8) - abs(state - 21) / 24 for state in states]


def walk(steps=200, seed=0, ahead=1, evaluate=hills, **temperature):
    return list(anneal(5, near, evaluate, Cooling(steps, **temperature), seed, ahead))


def test_the_highest_hill_is_found_where_climbing_alone_stays_on_the_nearest():
    def found(**temperature) -> list[int]:
        walks = [walk(800, seed, **temperature) for seed in range(8)]
        return [max(steps, key=lambda step: step.score).state for steps in walks]

    assert hills([18]) == [max(hills(list(range(24))))]
    assert found(init_temperature=0) == [2] * 8
    assert found(init_temperature=1.0).count(18) >= 7


def test_a_hot_walk_accepts_everything_and_a_cold_one_what_is_no_worse():
    assert all(step.accepted for step in walk(init_temperature=1e12, **CONSTANT))
    level = -math.inf
    for step in walk(init_temperature=0):
        assert step.accepted == (step.score >= level)
        level = step.score if step.accepted else level


@pytest.mark.parametrize("drop", [0.1, 0.5, 1.5])
def test_a_step_down_is_accepted_with_the_probability_of_metropolis(drop):
    # From the upper state always down, from the lower one always up: a step down is tried from the upper one alone.
    steps = anneal(
        0, lambda s, rng: 1 - s, lambda states: [-drop * s for s in states], Cooling(6000, 0.5, **CONSTANT), seed=1
    )
    downs = [step.accepted for step in islice(steps, 1, None) if step.state == 1]
    expected = math.exp(-drop / 0.5)
    assert acceptance(-drop, 0.5) == pytest.approx(expected)
    assert abs(np.mean(downs) - expected) < 3 * math.sqrt(expected * (1 - expected) / len(downs))


def test_at_a_constant_temperature_states_are_visited_as_boltzmann_says():
    scores = np.array([0.0, 0.7, 0.2])
    steps = anneal(
        0, lambda s, rng: rng.integers(3), lambda states: scores[states], Cooling(12000, 0.6, **CONSTANT), seed=3
    )
    visits, state = np.zeros(3), 0
    for step in steps:
        state = step.state if step.accepted else state
        visits[state] += 1
    expected = np.exp(scores / 0.6) / np.exp(scores / 0.6).sum()
    np.testing.assert_allclose(visits / visits.sum(), expected, atol=0.02)


def test_without_a_temperature_it_comes_from_the_first_ten_trials_and_ends_at_a_hundredth():
    steps = walk(100)
    spread = np.std([step.score for step in steps[:SURVEYED]])
    assert {step.temperature for step in steps[:SURVEYED]} == {0.0}
    assert steps[SURVEYED].temperature == pytest.approx(spread)
    assert steps[-1].temperature == pytest.approx(spread / 100)
    ratios = [b.temperature / a.temperature for a, b in zip(steps[SURVEYED:], steps[SURVEYED + 1 :], strict=False)]
    np.testing.assert_allclose(ratios, ratios[0])


def test_a_given_temperature_holds_from_the_first_step_and_falls_by_the_given_rate():
    steps = walk(4, init_temperature=1024, reduce_rate=0.85)
    assert [step.temperature for step in steps[1:]] == [1024 * 0.85**k for k in range(4)]
    assert walk(3, init_temperature=7.0)[-1].temperature == pytest.approx(0.07)


def test_the_same_seed_gives_the_same_walk_and_another_one_another():
    assert walk(seed=4) == walk(seed=4)
    assert walk(seed=4) != walk(seed=5)


@pytest.mark.parametrize("ahead", [2, 3, 7, 1000])
def test_a_walk_ahead_takes_the_same_steps(ahead):
    batches = []

    def evaluate(states):
        batches.append(len(states))
        return iter(hills(states))

    assert walk(60, seed=2, ahead=ahead, evaluate=evaluate) == walk(60, seed=2)
    assert max(batches) == min(ahead, 60)


def test_proposals_behind_an_accepted_one_are_not_waited_for():
    waited = []

    def evaluate(states):
        for state, score in zip(states, hills(states), strict=True):
            waited.append(state)
            yield score

    steps = walk(50, ahead=8, evaluate=evaluate)
    assert waited == [step.state for step in steps]


def test_no_steps_are_the_start_alone():
    assert [(step.number, step.state, step.accepted) for step in walk(0)] == [(0, 5, True)]


def test_a_score_that_is_no_number_is_an_error():
    with pytest.raises(ValueError, match="the score of step 1 is NaN"):
        walk(evaluate=lambda states: [0.0 if state == 5 else math.nan for state in states])


def test_a_missing_score_is_an_error_and_no_endless_walk():
    with pytest.raises(ValueError, match="shorter"):
        walk(evaluate=lambda states: hills(states)[:1], ahead=3, init_temperature=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": -1}, r"`steps` \(=-1\) must be at least 0"),
        ({"init_temperature": -1.0}, r"`init_temperature` \(=-1\.0\) must be at least 0"),
        ({"init_temperature": math.nan}, r"`init_temperature` \(=nan\)"),
        ({"reduce_rate": 1.5}, r"`reduce_rate` \(=1\.5\) must be above 0 and at most 1"),
        ({"reduce_rate": 0.0}, r"`reduce_rate` \(=0\.0\)"),
        ({"ahead": 0}, r"`ahead` \(=0\) must be at least 1"),
    ],
)
def test_settings_that_mean_nothing_are_errors(settings, message):
    with pytest.raises(ValueError, match=message):
        walk(**settings)
