"""Simulated annealing: a walk that climbs, and at first steps down now and then, so that no small hill holds it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: From how many trials the first temperature is taken, where none is given.
SURVEYED = 10

#: The last temperature as a share of the first, where no rate is given.
LAST_SHARE = 1 / 100


def acceptance(change: float, temperature: float) -> float:
    """The probability of a step that changes the score by Δ: min(1, exp(Δ/T)) (Metropolis et al. 1953).

    Examples
    --------
    >>> acceptance(0.01, temperature=0.02), acceptance(0, temperature=0)
    (1.0, 1.0)
    >>> round(acceptance(-0.01, temperature=0.02), 4), acceptance(-0.01, temperature=0)
    (0.6065, 0.0)
    """
    if change >= 0:
        return 1.0
    return math.exp(change / temperature) if temperature > 0 else 0.0


@dataclass(frozen=True)
class Cooling:
    """The temperature of each step: T_k = T0·rate^k (Kirkpatrick et al. 1983).

    A temperature only means something beside the changes of the score that it is to allow. Where none is given, the
    walk begins at T = 0 (it only climbs) and takes T0 from the first ten trials: the standard deviation of their
    scores. PaddleSlim's T0 = 1024 and rate = 0.85 are a random walk for 60 trials when scores are shares from 0 to 1.

    Attributes
    ----------
    steps : int
        How many steps there are.
    init_temperature : float, optional
        T0, in units of the score; it holds from the first step.
    reduce_rate : float, optional
        By default the rate that ends at T0/100.

    Examples
    --------
    >>> cooling = Cooling(steps=300, init_temperature=1024, reduce_rate=0.85)
    >>> [f"{cooling.temperature(step, []):.2g}" for step in (1, 10, 61)]
    ['1e+03', '2.4e+02', '0.06']
    >>> [f"{acceptance(-0.1, cooling.temperature(step, [])):.3f}" for step in (1, 10, 61)]
    ['1.000', '1.000', '0.187']
    """

    steps: int
    init_temperature: float | None = None
    reduce_rate: float | None = None

    def __post_init__(self):
        if self.steps < 0:
            raise ValueError(f"`steps` (={self.steps}) must be at least 0")
        if self.init_temperature is not None and not 0 <= self.init_temperature < math.inf:
            raise ValueError(f"`init_temperature` (={self.init_temperature}) must be at least 0, and finite")
        if self.reduce_rate is not None and not 0 < self.reduce_rate <= 1:
            raise ValueError(f"`reduce_rate` (={self.reduce_rate}) must be above 0 and at most 1")

    def temperature(self, step: int, scores: Sequence[float]) -> float:
        """That of step 1, 2, …; `scores` are those of the start and of all steps before."""
        known = self.init_temperature is not None
        first = 1 if known else SURVEYED
        if step < first:
            return 0.0
        start = self.init_temperature if known else float(np.std(scores[:SURVEYED]))
        rate = LAST_SHARE ** (1 / max(self.steps - first, 1)) if self.reduce_rate is None else self.reduce_rate
        return start * rate ** (step - first)


@dataclass(frozen=True)
class Step:
    """A state that the walk tried; step 0 is the start.

    Attributes
    ----------
    number : int
    state
    score : float
    temperature : float
    accepted : bool
        Whether the walk went there.
    """

    number: int
    state: Any
    score: float
    temperature: float
    accepted: bool


def anneal(
    start: Any,
    neighbour: Callable[[Any, np.random.Generator], Any],
    evaluate: Callable[[list], Iterable[float]],
    cooling: Cooling,
    seed: int = 0,
    ahead: int = 1,
) -> Iterator[Step]:
    """Look for the state of the largest score; yields every trial as it ends.

    The random numbers of step k follow from (seed, k) alone. So a walk can be repeated from its scores, and can be
    walked ahead: the next proposals are made as if each before them were rejected, and evaluated together; the first
    one that is accepted voids those behind it. The steps are the same for any `ahead`.

    Parameters
    ----------
    start
        A state.
    neighbour
        From a state and a Generator to a state near it.
    evaluate
        From a list of states to their scores, in order; best an iterator that gives each as soon as it is known.
    cooling : Cooling
    seed : int
        At least 0.
    ahead : int
        How many proposals are evaluated together.

    Raises
    ------
    ValueError
        When a score is NaN.

    Examples
    --------
    >>> def valley_and_hill(states):
    ...     return [-((x**2 - 4) ** 2) / 16 + x / 2 for x in states]
    >>> steps = anneal(-2.0, lambda x, rng: x + rng.normal(), valley_and_hill, Cooling(200))
    >>> best = max(steps, key=lambda step: step.score)
    >>> round(best.state, 1), round(best.score, 1)
    (2.2, 1.1)
    """
    if ahead < 1:
        raise ValueError(f"`ahead` (={ahead}) must be at least 1")
    (score,) = evaluate([start])
    scores = [_checked(0, score)]
    yield Step(0, start, score, 0.0, True)
    state, level = start, score
    while len(scores) <= cooling.steps:
        numbers = range(len(scores), min(len(scores) + ahead, cooling.steps + 1))
        random = [np.random.default_rng((seed, number)) for number in numbers]
        proposals = [neighbour(state, rng) for rng in random]
        for number, rng, proposal, score in zip(numbers, random, proposals, evaluate(proposals), strict=True):
            temperature = cooling.temperature(number, scores)
            accepted = rng.random() < acceptance(_checked(number, score) - level, temperature)
            scores.append(score)
            yield Step(number, proposal, score, temperature, accepted)
            if accepted:
                state, level = proposal, score
                break


def _checked(number: int, score: float) -> float:
    if math.isnan(score):
        raise ValueError(f"the score of step {number} is NaN: it can't be compared")
    return score
