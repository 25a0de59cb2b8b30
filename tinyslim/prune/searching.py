"""Searched pruning: the ratios of all groups by simulated annealing, each trial a network that meets the FLOPs target.

A score tells ratios apart only if the cut networks still work. With the batch norm of the whole network, half of the
FLOPs gone leave the shipped MobileNetV1 0.25 at a top-1 of 34 % of 95 %; with its statistics measured anew, at 88 %. So
without `retrain`, let `evaluate` do that before it scores (``SubsetTop1(…, recalibration_batches=4)``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from tinyslim.nn import Module
from tinyslim.train import model_digest, to_bytes
from tinyslim.trials import ExecutorOrMaker, run_trials

from .annealing import Cooling, Step, anneal
from .criteria import Criterion
from .evaluation import Evaluate, called, trial
from .planning import Plan
from .proposals import Proposal, RatioSpace
from .search_log import Trial, TrialLog
from .structure import read_structure

#: From a cut network to a trained one; for processes it must be importable by name.
Retrain = Callable[[Module], Module]


@dataclass(frozen=True)
class Search:
    """What a search found; print it for a table of the trials that were the best so far.

    Attributes
    ----------
    plan : Plan
        The best trial's.
    trials : tuple of Trial
        In order; the first is the start.
    """

    plan: Plan
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        """The trial of the largest score; of equal ones the first.

        The largest of many scores is too good by luck: judge it by other images than those that chose it.
        """
        return max(self.trials, key=lambda trial: trial.score)

    def __repr__(self) -> str:
        return f"Search(trial {self.best.step} of {len(self.trials) - 1} is the best: {self.best.score:.4f})"

    def __str__(self) -> str:
        lines = ["trial   score  ± error  FLOPs gone  temperature"]
        for row in (row for row in self.trials if row.best):
            error = "" if row.standard_error is None else f"{row.standard_error:.4f}"
            lines.append(
                f"{row.step:5}  {row.score:.4f}  {error:>7}  {row.flops_removed:10.2%}  {row.temperature:11.2g}"
            )
        walked, networks = self.trials[1:], {tuple(row.ratios.values()) for row in self.trials}
        accepted = sum(row.accepted for row in walked)
        lines.append(f"{len(walked)} steps, {accepted} accepted, {len(networks)} different networks")
        return "\n".join(lines)


class _Scores:
    """Scores of proposals, and their standard errors; no network is evaluated twice."""

    def __init__(self, task: Callable, executor: ExecutorOrMaker | None, logged: Sequence[Trial]):
        self.task, self.executor = task, executor
        self.known = {tuple(row.ratios.values()): (row.score, row.standard_error) for row in logged}

    def __call__(self, proposals: Sequence[Proposal]) -> Iterator[float]:
        fresh = {p.ratios: (p.plan.ratios,) for p in proposals if p.ratios not in self.known}
        results = run_trials(self.task, fresh.values(), self.executor)
        for proposal in proposals:
            if proposal.ratios not in self.known:
                self.known[proposal.ratios] = _score_and_error(next(results))
            yield self.known[proposal.ratios][0]


def _score_and_error(scores: float | np.ndarray) -> tuple[float, float | None]:
    n = np.size(scores)
    return float(np.mean(scores)), float(np.std(scores, ddof=1) / np.sqrt(n)) if n > 1 else None


def _trial(step: Step, before: Sequence[Trial], scores: _Scores) -> Trial:
    plan, error = step.state.plan, scores.known[step.state.ratios][1]
    best = all(step.score > row.score for row in before)
    return Trial(
        step.number, plan.ratios, plan.achieved, step.score, error, step.temperature, bool(step.accepted), best
    )


@dataclass(frozen=True)
class _Retrained:
    """Evaluates what `retrain` makes of a network."""

    retrain: Retrain
    evaluate: Evaluate

    def __call__(self, model: Module) -> float | np.ndarray:
        return self.evaluate(self.retrain(model))


def plan_search(
    model: Module,
    example,
    evaluate: Evaluate,
    target_flops: float | tuple[float, float] = 0.5,
    steps: int = 100,
    seed: int = 0,
    executor: ExecutorOrMaker | None = None,
    criterion: Criterion = "l1_norm",
    pruned_params: str = "*",
    round_to: int = 1,
    reduce_rate: float | None = None,
    init_temperature: float | None = None,
    uniform_range: int | None = None,
    init_ratios: Mapping[str, float] | None = None,
    retrain: Retrain | None = None,
    path=None,
    ahead: int = 4,
    on_trial: Callable[[Trial], None] | None = None,
) -> Search:
    """Look for the ratios whose cut network scores best, by simulated annealing; PaddleSlim's `SAController`.

    The search starts at the uniform plan, so its best is at least as good (on the images that chose it).

    Parameters
    ----------
    model : Module
        Stays as it is.
    example : array
        A batch that the model takes, (n, h, w, c); its values don't matter.
    evaluate : Evaluate
        From a cut network to its score: the larger the better, comparable between networks.
    target_flops : float or (float, float)
        The share of the FLOPs that goes in every trial. Or the least and the most, PaddleSlim's `min_ratio` and
        `max_ratio`: what lies outside is scaled to the nearer of the two, which it may pass by a part of a channel.
    steps : int
        How many trials after the first.
    seed : int
        Of the steps, at least 0; of the criterion "random", too.
    executor : Executor, or a function that makes one; optional
        Evaluates several trials at once, `ahead` of the search: the trials that count are the same. A function is
        called for every few trials, and its executor closed after them.
    criterion, pruned_params, round_to
        See `uniform`.
    reduce_rate, init_temperature : float, optional
        See `Cooling`; PaddleSlim's are 0.85 and 1024.
    uniform_range : int, optional
        Only so many equally spaced ratios are proposed, before they are scaled to the target.
    init_ratios : dict, optional
        Where to start instead: a ratio for every group, by its name, which are scaled to the target as well.
    retrain : function, optional
        Trains each cut network before it is evaluated, and returns it; it must be deterministic.
    path : str or Path, optional
        A log in JSON lines, written whole after every trial; with one the search goes on where it was.
    ahead : int
        With an executor, how many trials it is given at once: best the number of its workers.
    on_trial : function, optional
        Is called with every new `Trial`.

    Raises
    ------
    ValueError
        When the target can't be met (tells the nearest that can); when the log at `path` is damaged, or is that of
        another model, data set or setting (shows the difference); when `evaluate` returns no finite numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import nn, prune
    >>> layers = nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.GlobalAvgPool2d(), nn.Linear(16, 4)
    >>> def largest(smaller):
    ...     return sum(np.abs(weight).sum() for weight in smaller.state_dict().values())
    >>> found = prune.plan_search(nn.Sequential(*layers), np.zeros((1, 12, 12, 1)), largest, steps=20)
    >>> found.best.score > found.trials[0].score, found.plan.achieved >= 0.5
    (True, True)
    """
    space = RatioSpace(
        read_structure(model, example), target_flops, criterion, pruned_params, seed, round_to, uniform_range
    )
    cooling, start = Cooling(steps, init_temperature, reduce_rate), space.start(init_ratios)
    identity = {
        "format": "tinyslim-search 1",
        "model": model_digest(model, example),
        "evaluate": called(evaluate),
        "retrain": called(retrain),
        "criterion": called(criterion),
        "pruned_params": pruned_params,
        "target_flops": target_flops,
        "round_to": round_to,
        "seed": seed,
        "uniform_range": uniform_range,
        "init_ratios": init_ratios and dict(init_ratios),
        **asdict(cooling),
    }
    log = TrialLog(path, identity)
    judge = _Retrained(retrain, evaluate) if retrain else evaluate
    settings = (to_bytes(model, example), np.shape(example), judge, criterion, pruned_params, seed, round_to)
    scores = _Scores(partial(trial, *settings), executor, log.before)
    for step in anneal(start, space.neighbour, scores, cooling, seed, ahead if executor is not None else 1):
        row = _trial(step, log.trials, scores)
        if log.add(row) and on_trial is not None:
            on_trial(row)
        if row.best:
            plan = step.state.plan
    return Search(plan, tuple(log.trials))


def search(
    model: Module,
    example,
    evaluate: Evaluate,
    target_flops: float | tuple[float, float] = 0.5,
    steps: int = 100,
    seed: int = 0,
    executor: ExecutorOrMaker | None = None,
    **settings,
) -> Module:
    """A smaller copy of `model`, with the ratios that `plan_search` finds best; it has the same settings.

    Returns
    -------
    Module
        Of the same class, with the same preprocessing, in the same mode, and not retrained.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import nn, prune
    >>> net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Conv2d(8, 2, 1))
    >>> evaluate = lambda smaller: smaller.get("0").weight.size / 72  # prefers to keep the first layer
    >>> smaller = prune.search(net, np.zeros((1, 7, 7, 1)), evaluate, target_flops=0.5, steps=5)
    >>> smaller.get("0").weight.shape, smaller.get("2").weight.shape
    ((3, 3, 1, 6), (3, 3, 6, 4))
    """
    return plan_search(model, example, evaluate, target_flops, steps, seed, executor, **settings).plan.apply()
