"""Uniform pruning: one ratio for every group, found so that a FLOPs target is met."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

import numpy as np

from tinyslim.nn import Module

from .criteria import Criterion, rank
from .cutting import cut_structure
from .grouping import Group
from .structure import Structure, read_structure

#: By how much the share of FLOPs removed may exceed the target before a plan says why.
NEAR = 0.02


@dataclass(frozen=True, eq=False)
class Plan:
    """Which channels stay, and what the network will weigh; print it for a table.

    Attributes
    ----------
    structure : Structure
    keep : dict
        For each group that is cut, by name, the numbers of the channels that stay.
    ratio : float
        The share of its channels that every group loses, before rounding to whole channels.
    requested : float
        The share of the FLOPs that was to go.
    note : str
        Why more went than was requested, if it was much more.
    """

    structure: Structure
    keep: dict[str, np.ndarray]
    ratio: float
    requested: float
    note: str = ""

    @property
    def mask(self) -> np.ndarray:
        """For each channel of the whole network, whether it stays."""
        return self.structure.mask(self.keep)

    @property
    def flops_before(self) -> int:
        return 2 * self.structure.macs(self.structure.mask({}))

    @property
    def flops_after(self) -> int:
        return 2 * self.structure.macs(self.mask)

    @property
    def achieved(self) -> float:
        """The share of the FLOPs that goes."""
        return 1 - self.flops_after / self.flops_before

    @property
    def params_before(self) -> int:
        return self.structure.params(self.structure.mask({}))

    @property
    def params_after(self) -> int:
        return self.structure.params(self.mask)

    @property
    def widths(self) -> dict[str, tuple[int, int]]:
        """For each layer that makes channels, how many before and after."""
        return self.structure.widths(self.mask)

    def apply(self) -> Module:
        """The smaller network, checked; see `cut`."""
        return cut_structure(self.structure, self.mask)

    def __repr__(self) -> str:
        return f"Plan({self.achieved:.2%} of the FLOPs go, {self.requested:.2%} requested)"

    def __str__(self) -> str:
        widths = self.widths
        longest = max(map(len, widths))
        lines = []
        for layer, (before, after) in widths.items():
            reason = f"  kept: {self.structure.uncut[layer]}" if layer in self.structure.uncut else ""
            lines.append(f"{layer.ljust(longest)}  {before:5,} → {after:5,} channels{reason}")
        lines += [
            f"ratio {self.ratio:.4f}: {self.achieved:.2%} of the FLOPs go, {self.requested:.2%} requested",
            f"FLOPs {self.flops_before:,} → {self.flops_after:,}",
            f"parameters {self.params_before:,} → {self.params_after:,}",
        ]
        return "\n".join(lines + [self.note] * bool(self.note))


class _Steps:
    """The order in which a growing ratio takes channels away, one at a time.

    At ratio r a group of width w has lost round(r·w) channels, so it loses its k-th at r = (k − ½)/w. Rounding to the
    nearest keeps every group within half a channel of the ratio, and groups of 8, 16, 32, … channels never step
    together; groups of one width do, and then go one after the other, as in the graph. The last channel never goes.
    """

    def __init__(self, structure: Structure, chosen: Sequence[Group], order: dict[str, np.ndarray]):
        self.structure, self.chosen, self.order = structure, chosen, order
        ratios = [(np.arange(1, group.width) - 0.5) / group.width for group in chosen]
        groups = np.repeat(np.arange(len(chosen)), [len(r) for r in ratios])
        ratios = np.concatenate(ratios)
        sequence = np.lexsort((groups, ratios))
        self.groups, self.ratios = groups[sequence], ratios[sequence]
        self.macs = structure.macs(structure.mask({}))

    def __len__(self) -> int:
        return len(self.groups)

    def keep(self, steps: int) -> dict[str, np.ndarray]:
        """What each group keeps after so many steps: all but the first of its order."""
        gone = np.bincount(self.groups[:steps], minlength=len(self.chosen))
        return {group.name: np.sort(self.order[group.name][n:]) for group, n in zip(self.chosen, gone, strict=True)}

    def removed(self, steps: int) -> float:
        """The share of the multiply-adds that is gone then."""
        return 1 - self.structure.macs(self.structure.mask(self.keep(steps))) / self.macs


def plan_uniform(
    model: Module,
    example,
    target_flops: float = 0.5,
    criterion: Criterion = "l1_norm",
    pruned_params: str = "*",
    seed: int = 0,
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
    """
    if not 0 < target_flops < 1:
        raise ValueError(
            f"`target_flops` (={target_flops!r}) must be above 0 and below 1: the share of FLOPs to remove"
        )
    structure = read_structure(model, example)
    chosen = _chosen(structure, pruned_params)
    steps = _Steps(structure, chosen, rank(structure, chosen, criterion, seed))
    most = steps.removed(len(steps))
    if most < target_flops:
        raise ValueError(
            f"`target_flops` (={target_flops!r}) can't be met: with one channel left in each of {len(chosen)} groups "
            f"{most:.4f} of the FLOPs are removed, which is the nearest that can"
        )
    count = bisect_left(range(len(steps)), target_flops, key=steps.removed)
    last, reached = chosen[steps.groups[count - 1]], steps.removed(count)
    note = ""
    if reached - target_flops > NEAR:
        note = (
            f"one channel fewer of {last.name} ({last.width} channels) and only {steps.removed(count - 1):.2%} would go"
        )
    return Plan(structure, steps.keep(count), float(steps.ratios[count - 1]), target_flops, note)


def _chosen(structure: Structure, pattern: str) -> list[Group]:
    """The groups that some weight of this pattern belongs to."""
    names = {member.path: group for group in structure.groups for member in group.makers}
    if not names:
        told = "; ".join(f"{layer}: {reason}" for layer, reason in structure.uncut.items())
        raise ValueError(f"no channels of this network can be cut ({told})")
    chosen = [group for group in structure.groups if any(fnmatch(member.path, pattern) for member in group.makers)]
    if not chosen:
        raise ValueError(
            f"`pruned_params` (={pattern!r}) matches none of the weights that can be cut: {', '.join(names)}"
        )
    return chosen


def uniform(
    model: Module,
    example,
    target_flops: float = 0.5,
    criterion: Criterion = "l1_norm",
    pruned_params: str = "*",
    seed: int = 0,
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
    return plan_uniform(model, example, target_flops, criterion, pruned_params, seed).apply()
