"""Whole pictures of pruning, and how they become files.

They are 8 inches wide: at 800 pixels across, the smallest letters are still 10 pixels high.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tinyslim.prune import Plan

from .pictures import empty_figure, save_figure
from .pruning_figures import (
    draw_cliff,
    draw_filters,
    draw_flops,
    draw_search,
    draw_sensitivity,
    draw_temperature,
    draw_widths,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, COLUMNS = 8.0, 4


def sensitivity_figure(sensitivity, plan: Plan | None = None, columns: int = COLUMNS) -> Figure:
    """A small picture for each group, all on one scale, so that the eye finds those that matter.

    Parameters
    ----------
    sensitivity : prune.Sensitivity
    plan : Plan, optional
        What `prune.plan_sensitive` made of it: its loss level and each group's ratio are marked.
    columns : int
        Of small pictures.
    """
    figure, grid = _grid(list(sensitivity.groups), sharey=True, columns=columns)
    for axes, (name, group) in zip(grid, sensitivity.groups.items(), strict=True):
        draw_sensitivity(axes, group, plan and plan.level, plan and plan.ratios.get(name))
    grid[0].set_xlim(0, 100)
    grid[0].set_yticks([0, 1, 10, 100], ["0", "1", "10", "100"])
    figure.supxlabel("channels of the group removed, %", fontsize=9)
    figure.supylabel("loss of top-1, points", fontsize=9)
    _legend_on_top(figure, grid[0])
    return figure


def widths_figure(plan: Plan) -> Figure:
    """For each layer with multiply-adds its channels, and its share of the FLOPs, before and after."""
    structure, whole = plan.structure, plan.structure.mask({})
    widths = _pairs(structure.layer_widths(whole), structure.layer_widths(plan.mask))
    macs = _pairs(structure.layer_macs(whole), structure.layer_macs(plan.mask))
    figure = empty_figure(WIDTH, 1.3 + 0.2 * len(widths))
    left, right = figure.subplots(1, 2, sharey=True)
    draw_widths(left, widths)
    draw_flops(right, macs)
    title = f"{plan.achieved:.1%} of the FLOPs go: {plan.flops_before:,} → {plan.flops_after:,}"
    _legend_on_top(figure, left, title)
    return figure


def _pairs(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    return {name: (number, after[name]) for name, number in before.items()}


def search_figure(trials: Sequence, width: float = WIDTH) -> Figure:
    """The trials of a search, and the temperature below; `width` in inches."""
    figure = empty_figure(width, 5.0)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    draw_search(top, trials)
    draw_temperature(bottom, trials)
    _legend_on_top(figure, top)
    return figure


def filters_figure(plan: Plan, scores: Mapping[str, np.ndarray], criterion: str = "l1_norm") -> Figure:
    """The channels of each group ranked, with the cut that `plan` makes.

    Parameters
    ----------
    plan : Plan
    scores : mapping
        One number a channel by the group's name, as `prune.channel_scores` gives them.
    criterion : str
        What the numbers are called.
    """
    figure, grid = _grid(list(scores))
    for axes, (name, group_scores) in zip(grid, scores.items(), strict=True):
        draw_filters(axes, group_scores, plan.keep.get(name, np.arange(len(group_scores))))
    figure.supxlabel("channels of the group, the smallest first", fontsize=9)
    figure.supylabel(f"{criterion}, 1 is the mean", fontsize=9)
    _legend_on_top(figure, grid[0])
    return figure


def cliff_figure(cliff) -> Figure:
    """The cliff of `compress.cliff`."""
    figure = empty_figure(WIDTH, 5.4)
    draw_cliff(figure.subplots(), cliff.baseline, cliff.lines)
    return figure


def _grid(names: Sequence[str], sharey: bool = False, columns: int = COLUMNS) -> tuple[Figure, list]:
    """Small axes in rows of `columns`, one for each name, which stands in it."""
    rows = -(-len(names) // columns)
    figure = empty_figure(WIDTH * columns / COLUMNS, 1.2 + 1.3 * rows)
    places = figure.subplots(rows, columns, sharex=sharey, sharey=sharey, squeeze=False).ravel()
    for axes, name in zip(places, names, strict=False):
        axes.set_title(name, fontsize=8, pad=3)
        axes.tick_params(labelsize=8)
    for axes in places[len(names) :]:
        axes.remove()
    return figure, list(places[: len(names)])


def _legend_on_top(figure: Figure, axes, title: str | None = None) -> None:
    """One legend for all axes, outside of them; the figure's title is its own, or the two would overlap."""
    handles, labels = axes.get_legend_handles_labels()
    columns = 5 if figure.get_figwidth() >= WIDTH else 2
    figure.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=columns,
        frameon=False,
        fontsize=8,
        title=title,
        title_fontsize=10,
    )


def save_sensitivity_figure(sensitivity, path, plan: Plan | None = None) -> None:
    """Draw the picture of a sensitivity and write it."""
    save_figure(sensitivity_figure(sensitivity, plan), path)


def save_widths_figure(plan: Plan, path) -> None:
    """Draw the picture of a plan's widths and write it."""
    save_figure(widths_figure(plan), path)


def save_search_figure(trials: Sequence, path) -> None:
    """Draw the picture of a search and write it."""
    save_figure(search_figure(trials), path)


def save_filters_figure(plan: Plan, scores: Mapping[str, np.ndarray], path, criterion: str = "l1_norm") -> None:
    """Draw the picture of the ranked channels and write it."""
    save_figure(filters_figure(plan, scores, criterion), path)


def save_cliff_figure(cliff, path) -> None:
    """Draw the picture of a cliff and write it."""
    save_figure(cliff_figure(cliff), path)
