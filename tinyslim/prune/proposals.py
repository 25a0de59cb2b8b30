"""Where a search for ratios may go: a ratio a group, always such that the FLOPs target is met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .criteria import Criterion, rank
from .planning import Plan, choose_groups, plan_by_level
from .stepping import keep_by_ratios
from .structure import Structure

#: How many groups a proposal changes at most.
CHANGED = 3

#: By how much it changes the ratio of each at most; a narrow group may always lose or win a channel.
REACH = 0.2

#: Stands for a ratio of 0, by which no share can be divided: such a group loses a channel when no other can.
TINY = 1e-6


@dataclass(frozen=True, eq=False)
class Proposal:
    """Ratios as whole channels give them, and the plan that they are of."""

    plan: Plan

    @property
    def ratios(self) -> tuple[float, ...]:
        """The share of its channels that each group loses; equal ones are the same network."""
        return tuple(self.plan.ratios.values())


class RatioSpace:
    """All ratios that meet the FLOPs target, and which of them lie near each other.

    Parameters
    ----------
    structure : Structure
    target_flops : float or (float, float)
        The share of the FLOPs to remove; or the least and the most, between which ratios stay as they are.
    criterion, pruned_params, seed, round_to
        See `uniform`.
    uniform_range : int, optional
        Changed ratios become multiples of 1/uniform_range (as PaddleSlim's tokens are) before the target scales them.
    """

    def __init__(
        self,
        structure: Structure,
        target_flops: float | tuple[float, float],
        criterion: Criterion = "l1_norm",
        pruned_params: str = "*",
        seed: int = 0,
        round_to: int = 1,
        uniform_range: int | None = None,
    ) -> None:
        if uniform_range is not None and uniform_range < 2:
            raise ValueError(f"`uniform_range` (={uniform_range}) must be at least 2")
        self.structure, self.round_to, self.uniform_range = structure, round_to, uniform_range
        self.least, self.most = _bounds(target_flops)
        self.chosen = choose_groups(structure, pruned_params)
        self.order = rank(structure, self.chosen, criterion, seed)
        one_width = np.array([round_to / group.width for group in self.chosen])
        self.reach = np.clip(1.5 * one_width, REACH, 1)

    def start(self, ratios: Mapping[str, float] | None = None) -> Proposal:
        """The uniform plan, or the one for given ratios a group name, scaled to the target."""
        if ratios is None:
            return Proposal(self._scaled(np.ones(len(self.chosen)), self.least))
        names = [group.name for group in self.chosen]
        if set(ratios) != set(names):
            raise ValueError(f"`init_ratios` names {', '.join(ratios)}; there are {', '.join(names)}")
        for name, ratio in ratios.items():
            if not 0 <= ratio < 1:
                raise ValueError(f"`init_ratios[{name!r}]` (={ratio!r}) must be at least 0 and below 1")
        return self.project(np.array([ratios[name] for name in names], np.float64))

    def neighbour(self, proposal: Proposal, rng: np.random.Generator) -> Proposal:
        """Ratios that differ in one to three groups by up to 0.2, before they are scaled to the target.

        At 0 and at 1 a change is reflected: were it cut off there, whole and empty layers would be proposed most.
        """
        ratios = np.array(proposal.ratios)
        count = min(rng.integers(1, CHANGED, endpoint=True), len(ratios))
        which = rng.choice(len(ratios), count, replace=False)
        moved = np.abs(ratios[which] + rng.uniform(-1, 1, count) * self.reach[which])
        ratios[which] = 1 - np.abs(1 - moved)
        if self.uniform_range:
            ratios[which] = np.round(ratios[which] * self.uniform_range) / self.uniform_range
        return self.project(ratios)

    def project(self, ratios: np.ndarray) -> Proposal:
        """The nearest plan that meets the target: all ratios times one factor; no search, so it always ends.

        Where a range is given and the ratios remove a share within it, the factor is 1.
        """
        if self.least < self.most:
            by_name = {group.name: ratio for group, ratio in zip(self.chosen, ratios, strict=True)}
            plan = Plan(self.structure, keep_by_ratios(self.chosen, self.order, by_name, self.round_to))
            if self.least <= plan.achieved <= self.most:
                return Proposal(plan)
            return Proposal(self._scaled(ratios, min(max(plan.achieved, self.least), self.most)))
        return Proposal(self._scaled(ratios, self.least))

    def _scaled(self, ratios: np.ndarray, target: float) -> Plan:
        """A group of ratio r loses the share level·r of its channels, for the smallest level that meets the target."""
        curves = {
            group.name: lambda share, own=own: share / own
            for group, own in zip(self.chosen, np.maximum(ratios, TINY), strict=True)
        }
        return plan_by_level(self.structure, self.chosen, self.order, curves, target, self.round_to, "factor")


def _bounds(target_flops: float | Sequence[float]) -> tuple[float, float]:
    least, most = target_flops if isinstance(target_flops, Sequence) else (target_flops, target_flops)
    if not 0 < least <= most < 1:
        raise ValueError(
            f"`target_flops` (={target_flops!r}) must be above 0 and below 1: the share of FLOPs to remove, "
            "or the least and the most"
        )
    return least, most
