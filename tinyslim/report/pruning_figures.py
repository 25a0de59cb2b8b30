"""What pruning looks like: each function draws into axes that it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .figures import AFTER, BEFORE, BLUE, GREEN, GREY, VERMILLION, draw_legend

# Okabe and Ito's again; no two lines of one picture share a marker either.
LINES = tuple(
    zip((VERMILLION, GREY, "#E69F00", "#009E73", BLUE, "#CC79A7", "#000000", "#56B4E9"), "osD^vPX*", strict=True)
)

#: From so many points of loss on, the scale of a sensitivity is logarithmic.
LINEAR_POINTS = 1


def draw_sensitivity(axes, group, level: float | None = None, ratio: float | None = None) -> None:
    """What one group's channels are worth: the loss of top-1 over the share of them that is gone.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    group
        With arrays ``ratios``, ``losses``, ``standard_errors`` (shares) and the function ``curve`` that was fitted.
    level : float, optional
        The loss that a plan allows every group.
    ratio : float, optional
        The share of this group's channels that goes by that plan.
    """
    gone, losses, errors = (100 * np.asarray(x) for x in (group.ratios, group.losses, group.standard_errors))
    fine = np.linspace(0, gone.max(), 200)
    axes.fill_between(gone, losses - errors, losses + errors, color=BLUE, alpha=0.25, lw=0, label="± standard error")
    axes.plot(fine, 100 * group.curve(fine / 100), "-", color=BLUE, linewidth=1.2, label="fitted curve")
    axes.plot(gone, losses, "o", color=BLUE, markersize=3, label="measured")
    if level is not None:
        axes.axhline(
            100 * level,
            color=VERMILLION,
            linewidth=1,
            linestyle=":",
            label=f"loss level of the plan, {100 * level:.2g}",
        )
    if ratio is not None:
        axes.axvline(100 * ratio, color=VERMILLION, linewidth=1, label="goes by the plan")
    axes.set_yscale("symlog", linthresh=LINEAR_POINTS, linscale=0.7)


def draw_widths(axes, widths: Mapping[str, tuple[int, int]]) -> None:
    """Each layer's channels as horizontal bars, before and after, the first layer on top.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    widths : mapping
        Before and after by the layer's name.
    """
    draw_pairs(axes, widths, lambda before, after: f"{before:,} → {after:,}" if after < before else f"{before:,}")
    axes.set_xlabel("channels")


def draw_flops(axes, flops: Mapping[str, tuple[float, float]]) -> None:
    """Each layer's share of the network's FLOPs as horizontal bars, before and after, in % of all before.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    flops : mapping
        Before and after by the layer's name.
    """
    total = sum(before for before, _ in flops.values())
    shares = {name: (100 * before / total, 100 * after / total) for name, (before, after) in flops.items()}
    draw_pairs(axes, shares, lambda before, after: f"{before:.1f} → {after:.1f}")
    axes.set_xlabel("FLOPs, % of the whole network's before")


def draw_pairs(axes, pairs: Mapping[str, tuple[float, float]], label) -> None:
    """A wide pale bar with a narrower dark one in it, and behind them what `label` makes of both numbers."""
    before, after = np.array(list(pairs.values())).T
    places = np.arange(len(pairs))
    axes.barh(places, before, 0.8, color=BEFORE, alpha=0.35, label="before")
    axes.barh(places, after, 0.5, color=AFTER, label="after")
    for place, pair in zip(places, pairs.values(), strict=True):
        axes.annotate(
            label(*pair), (max(pair), place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=7.5
        )
    axes.set_yticks(places, list(pairs), fontsize=8)
    axes.set_ylim(len(pairs) - 0.4, -0.6)
    axes.set_xlim(0, 1.3 * max(before.max(), after.max()))
    axes.spines[["top", "right"]].set_visible(False)


def draw_search(axes, trials: Sequence) -> None:
    """The score of every trial of a search, those that were accepted joined, and the best so far.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    trials : sequence
        Each with ``step``, ``score`` (a share) and ``accepted``.
    """
    steps, scores = np.array([[trial.step, 100 * trial.score] for trial in trials]).T
    accepted = np.array([trial.accepted for trial in trials], bool)
    axes.step(steps, np.maximum.accumulate(scores), where="post", color=VERMILLION, linewidth=1.2, label="best so far")
    axes.plot(steps[~accepted], scores[~accepted], "x", color=GREY, markersize=4, label="refused")
    axes.plot(steps[accepted], scores[accepted], "o-", color=BLUE, markersize=3.5, linewidth=0.8, label="accepted")
    axes.set_ylabel("score, %")


def draw_temperature(axes, trials: Sequence) -> None:
    """The temperature of each trial, by which the loss is measured that a search puts up with.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    trials : sequence
        Each with ``step`` and ``temperature``, None before there is one.
    """
    known = [trial for trial in trials if trial.temperature]
    axes.plot([trial.step for trial in known], [100 * trial.temperature for trial in known], color=GREEN)
    axes.set_yscale("log")
    axes.set_ylabel("temperature,\npoints of score")
    axes.set_xlabel("trial")


def draw_filters(axes, scores: np.ndarray, keep: np.ndarray) -> None:
    """The channels of a group in the order of their scores, those that go in another colour than those that stay.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    scores : numpy.ndarray
        One number a channel, (channels,).
    keep : numpy.ndarray
        The numbers of the channels that stay.
    """
    order = np.argsort(scores, kind="stable")
    ranked, stays = np.asarray(scores)[order], np.isin(order, keep)
    edges = np.arange(len(order) + 1)
    axes.stairs(np.where(stays, 0, ranked), edges, fill=True, color=VERMILLION, label="go")
    axes.stairs(np.where(stays, ranked, 0), edges, fill=True, color=BLUE, label="stay")
    gone = int((~stays).sum())
    if not stays[:gone].any():
        axes.axvline(gone, color="#000000", linewidth=1, linestyle=":", label="the cut")
    axes.set_xlim(0, len(order))


def draw_cliff(axes, baseline: float, lines: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
    """Top-1 over the share of the FLOPs that was cut away, a line for each way of cutting.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    baseline : float
        Top-1 of the whole network, a share.
    lines : mapping
        By name the shares removed, and mean and standard deviation of top-1.
    """
    axes.axhline(100 * baseline, color="#000000", linewidth=1, linestyle=":", label="the whole network")
    for (name, line), (colour, marker) in zip(lines.items(), LINES, strict=False):
        removed, mean, spread = (100 * np.asarray(values) for values in line)
        axes.fill_between(removed, mean - spread, mean + spread, color=colour, alpha=0.25, linewidth=0)
        axes.plot(removed, mean, f"{marker}-", color=colour, markersize=4.5, linewidth=1.4, label=name)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_xlabel("FLOPs removed, %")
    axes.set_ylabel("top-1 on the test images, %")
    draw_legend(axes)
