"""Which channels go: those of the lowest level first, over all groups, until a FLOPs target is met.

Every strategy is one curve a group, from the share of its channels that is gone to a level. Uniform pruning takes the
share itself, sensitive pruning the loss that the group alone would cost, a search the share over the group's own ratio.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

import numpy as np

from tinyslim.nn import Module

from .criteria import Criterion, rank
from .cutting import cut_structure
from .grouping import Group
from .stepping import Curve, Steps, keep_by_ratios
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
        For each group that may be cut, by name, the numbers of the channels that stay.
    level : float or None
        What the last channel to go was worth on its group's curve; None where ratios were given.
    level_name : str
        What levels are: the "ratio" of every group, before rounding to whole channels, if the plan is uniform.
    requested : float or None
        The share of the FLOPs that was to go; None where ratios were given.
    note : str
        Why more went than was requested, if it was much more, and to what widths were rounded.
    """

    structure: Structure
    keep: dict[str, np.ndarray]
    level: float | None = None
    level_name: str = "ratio"
    requested: float | None = None
    note: str = ""

    @property
    def mask(self) -> np.ndarray:
        """For each channel of the whole network, whether it stays."""
        return self.structure.mask(self.keep)

    @property
    def ratios(self) -> dict[str, float]:
        """For each group that may be cut the share of its channels that goes."""
        return {name: 1 - len(kept) / self.structure.group(name).width for name, kept in self.keep.items()}

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
    def bytes_before(self) -> int:
        return self.structure.nbytes(self.structure.mask({}))

    @property
    def bytes_after(self) -> int:
        """Bytes of all its arrays, as the model holds them."""
        return self.structure.nbytes(self.mask)

    @property
    def widths(self) -> dict[str, tuple[int, int]]:
        """For each layer that makes channels, how many before and after."""
        return self.structure.widths(self.mask)

    def apply(self) -> Module:
        """The smaller network, checked; see `cut`."""
        return cut_structure(self.structure, self.mask)

    def __repr__(self) -> str:
        requested = "" if self.requested is None else f", {self.requested:.2%} requested"
        return f"Plan({self.achieved:.2%} of the FLOPs go{requested})"

    def __str__(self) -> str:
        widths = self.widths
        longest = max(map(len, widths))
        lines = []
        for layer, (before, after) in widths.items():
            reason = f"  kept: {self.structure.uncut[layer]}" if layer in self.structure.uncut else ""
            lines.append(f"{layer.ljust(longest)}  {before:5,} → {after:5,} channels{reason}")
        requested = "" if self.requested is None else f", {self.requested:.2%} requested"
        level = "" if self.level is None else f"{self.level_name} {self.level:.4f}: "
        lines += [
            f"{level}{self.achieved:.2%} of the FLOPs go{requested}",
            f"FLOPs {self.flops_before:,} → {self.flops_after:,}",
            f"parameters {self.params_before:,} → {self.params_after:,}",
            f"bytes {self.bytes_before:,} → {self.bytes_after:,}",
        ]
        return "\n".join(lines + [self.note] * bool(self.note))


def choose_groups(structure: Structure, pruned_params: str) -> list[Group]:
    """The groups that some weight of this pattern belongs to.

    Raises
    ------
    ValueError
        When there is none.
    """
    names = {member.path: group for group in structure.groups for member in group.makers}
    if not names:
        told = "; ".join(f"{layer}: {reason}" for layer, reason in structure.uncut.items())
        raise ValueError(f"no channels of this network can be cut ({told})")
    chosen = [
        group for group in structure.groups if any(fnmatch(member.path, pruned_params) for member in group.makers)
    ]
    if not chosen:
        raise ValueError(
            f"`pruned_params` (={pruned_params!r}) matches none of the weights that can be cut: {', '.join(names)}"
        )
    return chosen


def plan_by_level(
    structure: Structure,
    chosen: Sequence[Group],
    order: Mapping[str, np.ndarray],
    curves: Mapping[str, Curve],
    target_flops: float,
    round_to: int = 1,
    level_name: str = "ratio",
) -> Plan:
    """The fewest steps, in the order of their levels, that remove the share `target_flops` of the FLOPs.

    Parameters
    ----------
    structure : Structure
    chosen : list of Group
        Those that may lose channels; see `choose_groups`.
    order : dict
        For each of them its channels, the first to go first; see `rank`.
    curves : dict
        For each of them its `Curve`.
    target_flops : float
        Above 0 and below 1.
    round_to : int
        Widths that are left are multiples of it; a group of no more channels stays whole.
    level_name : str
        What the plan calls a level.

    Raises
    ------
    ValueError
        When the target can't be met: tells the nearest that can.
    """
    if not 0 < target_flops < 1:
        raise ValueError(
            f"`target_flops` (={target_flops!r}) must be above 0 and below 1: the share of FLOPs to remove"
        )
    steps = Steps(structure, chosen, order, curves, round_to)
    most = steps.removed(len(steps))
    if most < target_flops:
        left = "one channel" if round_to == 1 else f"at most {round_to} channels"
        raise ValueError(
            f"`target_flops` (={target_flops!r}) can't be met: with {left} left in each of {len(chosen)} groups "
            f"{most:.4f} of the FLOPs are removed, which is the nearest that can"
        )
    count = bisect_left(range(len(steps)), target_flops, key=steps.removed)
    notes = [f"widths are multiples of {round_to}"] * (round_to > 1)
    if steps.removed(count) - target_flops > NEAR:
        last, fewer = chosen[steps.groups[count - 1]], "channel" if round_to == 1 else "step"
        notes.append(
            f"one {fewer} fewer of {last.name} ({last.width} channels) and only {steps.removed(count - 1):.2%} would go"
        )
    level = float(steps.levels[count - 1])
    return Plan(structure, steps.keep(count), level, level_name, target_flops, "\n".join(notes))


def plan_ratios(
    model: Module,
    example,
    ratios: Mapping[str, float],
    criterion: Criterion = "l1_norm",
    seed: int = 0,
    round_to: int = 1,
) -> Plan:
    """A plan for ratios of your own: the share of its channels that each group loses, by the group's name.

    Raises
    ------
    ValueError
        When a name is unknown or a ratio not at least 0 and below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import nn, prune
    >>> net = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 4, 3))
    >>> print(prune.plan_ratios(net, np.zeros((1, 12, 12, 1)), {"0": 0.25}))
    0     16 →    12 channels
    2      4 →     4 channels  kept: the network's output has a fixed width
    25.00% of the FLOPs go
    FLOPs 102,528 → 76,896
    parameters 740 → 556
    bytes 2,960 → 2,224
    """
    structure = read_structure(model, example)
    for name, ratio in ratios.items():
        if not 0 <= ratio < 1:
            raise ValueError(f"`ratios[{name!r}]` (={ratio!r}) must be at least 0 and below 1")
    chosen = [structure.group(name) for name in ratios]
    order = rank(structure, chosen, criterion, seed)
    return Plan(structure, keep_by_ratios(chosen, order, ratios, round_to))
