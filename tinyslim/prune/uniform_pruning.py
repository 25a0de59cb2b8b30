"""Uniform pruning: one ratio for every group, found so that a FLOPs target is met."""

from __future__ import annotations

from tinyslim.nn import Module

from .criteria import Criterion, rank
from .planning import Plan, choose_groups, plan_by_level
from .structure import read_structure


def plan_uniform(
    model: Module,
    example,
    target_flops: float = 0.5,
    criterion: Criterion = "l1_norm",
    pruned_params: str = "*",
    seed: int = 0,
    round_to: int = 1,
) -> Plan:
    """What `uniform` would do, with its arguments: look before you cut.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import nn, prune
    >>> layers = nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.GlobalAvgPool2d(), nn.Linear(16, 4)
    >>> net = nn.Sequential(*layers)
    >>> print(prune.plan_uniform(net, np.zeros((1, 12, 12, 1))))
    0     16 →    11 channels
    2     16 →    11 channels
    4      4 →     4 channels  kept: the network's output has a fixed width
    ratio 0.2812: 50.82% of the FLOPs go, 50.00% requested
    FLOPs 323,840 → 159,280
    parameters 2,548 → 1,258
    bytes 10,192 → 5,032
    """
    structure = read_structure(model, example)
    chosen = choose_groups(structure, pruned_params)
    curves = dict.fromkeys((group.name for group in chosen), lambda ratio: ratio)
    return plan_by_level(structure, chosen, rank(structure, chosen, criterion, seed), curves, target_flops, round_to)


def uniform(
    model: Module,
    example,
    target_flops: float = 0.5,
    criterion: Criterion = "l1_norm",
    pruned_params: str = "*",
    seed: int = 0,
    round_to: int = 1,
) -> Module:
    """A smaller copy of `model`: every group loses the same share of its channels, the smallest that meets the target.

    The filters with the smallest scores go (Li et al. 2017). An optimizer holds arrays of the widths before: build a
    new one over the parameters of the result.

    Parameters
    ----------
    model : Module
        Stays as it is.
    example : array
        A batch that the model takes, (n, h, w, c); its values don't matter.
    target_flops : float
        The share of the FLOPs of convolutions and linear layers that goes, above 0 and below 1.
    criterion : str or function
        A name from `CRITERIA`, or a function from a weight (…, filters) to one number a filter.
    pruned_params : str
        A pattern (as of file names) for the weights whose filters may go; what must be cut with them is cut too.
    seed : int
        Of the criterion "random".
    round_to : int
        Widths that are left are multiples of it, 8 for widths that kernels like; a group of no more channels stays
        whole.

    Returns
    -------
    Module
        Of the same class, with the same preprocessing, in the same mode.

    Raises
    ------
    ValueError
        When the target can't be met (tells the nearest that can), the pattern matches nothing or an op has no rule.
    PruningMismatchError
        When the result does not compute what `model` computes with the same channels at zero.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import graph, models, prune
    >>> model, example = models.mobilenet_v1(num_classes=10, width=0.25, stem_stride=1), np.zeros((1, 32, 32, 3))
    >>> smaller = prune.uniform(model, example, target_flops=0.5)
    >>> f"{graph.summary(smaller, example).macs / graph.summary(model, example).macs:.2f}"
    '0.50'
    """
    return plan_uniform(model, example, target_flops, criterion, pruned_params, seed, round_to).apply()
