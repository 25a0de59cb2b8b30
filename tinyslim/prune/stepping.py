"""Steps: how a group shrinks channel by channel, and in which order the groups take turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from .grouping import Group
from .structure import Structure

#: Takes shares of a group's channels that are gone, float64, and returns their levels, which never fall.
Curve = Callable[[np.ndarray], np.ndarray]


def widths_to_keep(width: int, round_to: int) -> np.ndarray:
    """The widths that a group may shrink to, from its own down: 1 or a multiple of `round_to` is the smallest.

    Examples
    --------
    >>> widths_to_keep(20, 8), widths_to_keep(4, 1), widths_to_keep(6, 8)
    (array([20, 16,  8]), array([4, 3, 2, 1]), array([6]))
    """
    if round_to < 1:
        raise ValueError(f"`round_to` (={round_to!r}) must be at least 1")
    return np.concatenate(([width], np.arange((width - 1) // round_to, 0, -1) * round_to))


def step_ratios(width: int, round_to: int) -> np.ndarray:
    """At which share of channels gone a group takes each step to a smaller width: midway between the two.

    Rounding to the nearest keeps every group within half a step of its ratio, and groups of 8, 16, 32, … channels never
    step together. The k-th of single channels goes at (k − ½)/width.
    """
    widths = widths_to_keep(width, round_to)
    return 1 - (widths[:-1] + widths[1:]) / 2 / width


class Steps:
    """The order in which a growing level takes channels away, one step of one group at a time.

    Among equal levels the group that has lost less goes first, then the one that comes first in the graph.
    """

    def __init__(
        self,
        structure: Structure,
        chosen: Sequence[Group],
        order: Mapping[str, np.ndarray],
        curves: Mapping[str, Curve],
        round_to: int,
    ):
        self.structure, self.chosen, self.order = structure, chosen, order
        self.widths = [widths_to_keep(group.width, round_to) for group in chosen]
        ratios = [step_ratios(group.width, round_to) for group in chosen]
        levels = [_levels(group, curves[group.name], own) for group, own in zip(chosen, ratios, strict=True)]
        groups = np.repeat(np.arange(len(chosen)), [len(own) for own in ratios])
        sequence = np.lexsort((groups, np.concatenate(ratios), np.concatenate(levels)))
        self.groups, self.levels = groups[sequence], np.concatenate(levels)[sequence]
        self.macs = structure.macs(structure.mask({}))

    def __len__(self) -> int:
        return len(self.groups)

    def keep(self, steps: int) -> dict[str, np.ndarray]:
        """What each group keeps after so many steps: the last of its order."""
        taken = np.bincount(self.groups[:steps], minlength=len(self.chosen))
        left = (widths[n] for widths, n in zip(self.widths, taken, strict=True))
        return {group.name: _last(self.order[group.name], n) for group, n in zip(self.chosen, left, strict=True)}

    def removed(self, steps: int) -> float:
        """The share of the multiply-adds that is gone then."""
        return 1 - self.structure.macs(self.structure.mask(self.keep(steps))) / self.macs


def _levels(group: Group, curve: Curve, ratios: np.ndarray) -> np.ndarray:
    levels = np.asarray(curve(ratios), np.float64)
    if levels.shape != ratios.shape or not (np.diff(levels, prepend=-np.inf) >= 0).all():
        raise ValueError(
            f"the curve of {group.name} must give a level for each ratio, and never fall; it gave {levels}"
        )
    return levels


def _last(order: np.ndarray, count: int) -> np.ndarray:
    return np.sort(order[len(order) - count :])


def keep_by_ratios(
    chosen: Sequence[Group], order: Mapping[str, np.ndarray], ratios: Mapping[str, float], round_to: int = 1
) -> dict[str, np.ndarray]:
    """What each of `chosen` keeps when it loses its ratio of channels, to the nearest width; 0 if it has none."""
    keep = {}
    for group in chosen:
        steps = np.searchsorted(step_ratios(group.width, round_to), ratios.get(group.name, 0.0), side="right")
        keep[group.name] = _last(order[group.name], widths_to_keep(group.width, round_to)[steps])
    return keep
