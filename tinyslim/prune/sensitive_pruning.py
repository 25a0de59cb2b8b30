"""Sensitive pruning: every group may cost the same, so the network loses channels where it bears that."""

from __future__ import annotations

from tinyslim.nn import Module
from tinyslim.train import differences, model_digest

from .criteria import Criterion, rank
from .evaluation import called
from .planning import Plan, choose_groups, plan_by_level
from .sensitivities import Sensitivity
from .structure import read_structure


def plan_sensitive(
    model: Module,
    example,
    sensitivity: Sensitivity,
    target_flops: float = 0.5,
    criterion: Criterion = "l1_norm",
    pruned_params: str = "*",
    seed: int = 0,
    round_to: int = 1,
) -> Plan:
    """What `sensitive` would do, with its arguments: look before you cut.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import nn, prune
    >>> layers = nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.GlobalAvgPool2d(), nn.Linear(16, 4)
    >>> net, example = nn.Sequential(*layers), np.zeros((1, 12, 12, 1))
    >>> def fragile_stem(smaller):
    ...     return 0.9 * (smaller.get("0").weight.shape[3] / 16) ** 2
    >>> measured = prune.sensitivity(net, example, fragile_stem, ratios=(0.25, 0.5, 0.75))
    >>> print(prune.plan_sensitive(net, example, measured))
    0     16 →    16 channels
    2     16 →     7 channels
    4      4 →     4 channels  kept: the network's output has a fixed width
    loss 0.0000: 51.25% of the FLOPs go, 50.00% requested
    FLOPs 323,840 → 157,880
    parameters 2,548 → 1,207
    bytes 10,192 → 4,828
    """
    structure = read_structure(model, example)
    chosen = choose_groups(structure, pruned_params)
    _check(sensitivity, {"model": model_digest(model, example), "criterion": called(criterion), "seed": seed})
    if missing := [group.name for group in chosen if group.name not in sensitivity.groups]:
        raise ValueError(f"`sensitivity` lacks {', '.join(missing)}: measure with the same `pruned_params`")
    curves = {group.name: sensitivity.groups[group.name].curve for group in chosen}
    order = rank(structure, chosen, criterion, seed)
    return plan_by_level(structure, chosen, order, curves, target_flops, round_to, level_name="loss")


def _check(sensitivity: Sensitivity, now: dict) -> None:
    if now["criterion"] != "random":
        now = {name: value for name, value in now.items() if name != "seed"}
    if told := differences({name: sensitivity.identity[name] for name in now}, now):
        raise ValueError(f"`sensitivity` was measured otherwise than it is to be used: {told}")


def sensitive(
    model: Module,
    example,
    sensitivity: Sensitivity,
    target_flops: float = 0.5,
    criterion: Criterion = "l1_norm",
    pruned_params: str = "*",
    seed: int = 0,
    round_to: int = 1,
) -> Module:
    """A smaller copy of `model`: groups that bear it lose more channels, until the FLOPs target is met.

    PaddleSlim's rule: one level of loss holds for all groups, and each loses as many channels as cost that much when it
    alone is cut, by its fitted curve. The level is the smallest that meets the target. Where curves are equal, above
    all where nothing is lost yet, the group that has lost the smaller share goes first: there the ratios are even.

    Single losses don't add up: the level is no forecast of the pruned network's loss.

    Parameters
    ----------
    model : Module
        The one that was measured; stays as it is.
    example : array
        A batch that the model takes, (n, h, w, c); its values don't matter.
    sensitivity : Sensitivity
        See `prune.sensitivity`.
    target_flops, pruned_params, round_to
        See `uniform`.
    criterion, seed
        As `sensitivity` was measured with: other filters would go.

    Returns
    -------
    Module
        Of the same class, with the same preprocessing, in the same mode.

    Raises
    ------
    ValueError
        When `sensitivity` is of another model or criterion, or lacks a group; when the target can't be met (tells the
        nearest that can).
    PruningMismatchError
        When the result does not compute what `model` computes with the same channels at zero.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import nn, prune
    >>> net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Conv2d(8, 2, 1))
    >>> evaluate = lambda smaller: smaller.get("0").weight.size / 72  # as if the first layer were all that counts
    >>> example = np.zeros((1, 7, 7, 1))
    >>> measured = prune.sensitivity(net, example, evaluate, ratios=(0.25, 0.5, 0.75))
    >>> smaller = prune.sensitive(net, example, measured, target_flops=0.4)
    >>> smaller.get("0").weight.shape, smaller.get("2").weight.shape
    ((3, 3, 1, 8), (3, 3, 8, 3))
    """
    return plan_sensitive(model, example, sensitivity, target_flops, criterion, pruned_params, seed, round_to).apply()
