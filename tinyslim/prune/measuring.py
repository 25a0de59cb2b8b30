"""Measuring sensitivities: a trial for every group and ratio, anywhere, and kept as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from tinyslim.nn import Module
from tinyslim.train import differences, model_digest, to_bytes
from tinyslim.trials import ExecutorOrMaker, run_trials

from .criteria import Criterion
from .evaluation import Evaluate, called, score_and_loss, trial
from .grouping import Group
from .planning import choose_groups
from .sensitivities import GroupSensitivity, Measurement, Sensitivity, read_sensitivity
from .stepping import step_ratios, widths_to_keep
from .structure import read_structure

RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def sensitivity(
    model: Module,
    example,
    evaluate: Evaluate,
    ratios: Sequence[float] = RATIOS,
    executor: ExecutorOrMaker | None = None,
    criterion: Criterion = "l1_norm",
    pruned_params: str = "*",
    seed: int = 0,
    round_to: int = 1,
    path=None,
    on_trial: Callable[[int, int], None] | None = None,
) -> Sensitivity:
    """What the channels of each group are worth: some of one group are cut, the network evaluated, for each ratio.

    Li et al. 2017, §3.2 ("layer-wise sensitivity"), as PaddleSlim measures it: physically cut, not retrained. Every
    network sees the same images, so the standard error of a loss is that of the paired differences.

    Parameters
    ----------
    model : Module
        Stays as it is.
    example : array
        A batch that the model takes, (n, h, w, c); its values don't matter.
    evaluate : Evaluate
        `SubsetTop1`, or any function of a model that returns a share, or one number an image (n,).
    ratios : sequence of float
        Shares of each group's channels, above 0 and below 1; each means the nearest number of whole channels.
    executor : Executor, or a function that makes one; optional
        Where trials run; see `tinyslim.trials.run_trials`. The numbers are the same everywhere.
    criterion, pruned_params, seed, round_to
        See `uniform`.
    path : str or Path, optional
        A JSON file, written whole after every trial. What lies there is gone on with, or taken as it is when finished.
    on_trial : function, optional
        Is called with how many trials are done, and of how many.

    Raises
    ------
    ValueError
        When the file at `path` is of another model, other data or settings: shows the difference.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import nn, prune
    >>> net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 2, 3))
    >>> def weights_left(smaller):
    ...     return smaller.get("0").weight.size / 72
    >>> print(prune.sensitivity(net, np.zeros((1, 7, 7, 1)), weights_left, ratios=(0.25, 0.5)))
    score 100.00%; its loss in points, ± standard error
    removed    25%         50%
    0       25.00 ± nan 50.00 ± nan
    """
    ratios = _checked(ratios)
    chosen = choose_groups(read_structure(model, example), pruned_params)
    identity = {
        "model": model_digest(model, example),
        "data": called(evaluate),
        "criterion": called(criterion),
        "pruned_params": pruned_params,
        "seed": seed,
        "round_to": round_to,
        "ratios": list(ratios),
    }
    kept, left = _kept(path, identity)
    if kept and not left:
        return kept
    settings = (to_bytes(model, example), (1, *np.shape(example)[1:]), evaluate, criterion, pruned_params, seed, 1)
    tasks = [(group, removed) for group in chosen for removed in removed_by(ratios, group.width, round_to)]
    todo = tasks[len(tasks) - left :] if kept else tasks
    # The whole network comes first: every loss is a difference to it, image by image.
    networks = [{}, *({group.name: removed / group.width} for group, removed in todo)]
    with closing(run_trials(partial(trial, *settings), ((ratios,) for ratios in networks), executor)) as results:
        whole = next(results)
        found = _begun(kept, path, identity, chosen, float(np.mean(whole)))
        for number, ((group, removed), scores) in enumerate(
            zip(todo, results, strict=True), len(tasks) - len(todo) + 1
        ):
            found.groups[group.name].measurements.append(Measurement(removed, *score_and_loss(scores, whole)))
            if path is not None:
                found.save(path, trials_left=len(tasks) - number)
            if on_trial is not None:
                on_trial(number, len(tasks))
    return found


def removed_by(ratios: Sequence[float], width: int, round_to: int = 1) -> list[int]:
    """How many of a group's channels go at `ratios`: the nearest widths that it may have, each once.

    Examples
    --------
    >>> removed_by((0.1, 0.5, 0.6, 0.9), 8), removed_by((0.1, 0.5, 0.6, 0.9), 32, round_to=8)
    ([1, 4, 5, 7], [16, 24])
    """
    steps = np.searchsorted(step_ratios(width, round_to), ratios, side="right")
    return [int(removed) for removed in np.unique(width - widths_to_keep(width, round_to)[steps]) if removed]


def _checked(ratios: Sequence[float]) -> tuple[float, ...]:
    ratios = tuple(float(ratio) for ratio in ratios)
    if not ratios or not all(0 < ratio < 1 for ratio in ratios) or list(ratios) != sorted(set(ratios)):
        raise ValueError(f"`ratios` (={ratios!r}) must rise, and lie above 0 and below 1")
    return ratios


def _kept(path, identity: dict) -> tuple[Sensitivity | None, int]:
    """What an earlier run left at `path`, and how many trials that lacks."""
    if path is None or not Path(path).exists():
        return None, 0
    kept, left = read_sensitivity(path)
    if told := differences(kept.identity, identity):
        raise ValueError(f"the sensitivity {str(path)!r} belongs to another measurement: {told}")
    return kept, left


def _begun(kept: Sensitivity | None, path, identity: dict, chosen: Sequence[Group], baseline: float) -> Sensitivity:
    """The record to go on with, or a new one."""
    if kept is None:
        groups = {group.name: GroupSensitivity(group.name, group.width, baseline) for group in chosen}
        return Sensitivity(identity, tuple(identity["ratios"]), baseline, groups)
    if kept.baseline != baseline:
        raise ValueError(
            f"the sensitivity {str(path)!r} belongs to another measurement: "
            f"the whole network's score was {kept.baseline!r}, now {baseline!r}"
        )
    return kept
