"""The rows of a table: what each kept of top-1, and how many bytes it took for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .pictures import empty_figure, save_figure
from .pruning_figures import LINES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Rows so many points or more below the best are drawn at the edge: they would press all others together.
FAR = 10.0


@dataclass(frozen=True)
class RowPoint:
    """A row's mean and standard deviation over seeds, of bytes and of top-1 as a share; None with one seed."""

    name: str
    nbytes: float
    nbytes_deviation: float | None
    top1: float
    top1_deviation: float | None


def draw_sizes(axes, points: Sequence[RowPoint]) -> None:
    """Top-1 over bytes, an error bar each way.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    points : sequence of RowPoint
    """
    for point, (colour, marker) in zip(points, _styles(len(points)), strict=True):
        size, top1 = point.nbytes / 1e3, _shown(point, points)
        spread = {"xerr": (point.nbytes_deviation or 0) / 1e3, "yerr": 100 * (point.top1_deviation or 0)}
        axes.errorbar(size, top1, **spread, fmt=marker, color=colour, markersize=6, capsize=2, linewidth=1)
    axes.set_xlim(0, 1.08 * max(point.nbytes + (point.nbytes_deviation or 0) for point in points) / 1e3)
    axes.set_xlabel("size of the Program, kB")
    axes.set_ylabel("top-1 on the test images, %")


def draw_rows(axes, points: Sequence[RowPoint]) -> None:
    """Top-1 of each row on a line of its own, the first on top; a dotted line marks the first.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    points : sequence of RowPoint
    """
    axes.axvline(100 * points[0].top1, color="#000000", linewidth=1, linestyle=":")
    for place, (point, (colour, marker)) in enumerate(zip(points, _styles(len(points)), strict=True)):
        top1, deviation = 100 * point.top1, point.top1_deviation
        shown = _shown(point, points)
        bar = None if deviation is None or shown != top1 else 100 * deviation
        axes.errorbar(shown, place, xerr=bar, fmt=marker, color=colour, markersize=6, capsize=2, linewidth=1)
        spread = "" if deviation is None else f" ± {100 * deviation:.2f}"
        label = f"{top1:.2f}{spread}" if shown == top1 else f"← {top1:.2f}{spread}"
        axes.annotate(label, (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    axes.set_yticks(range(len(points)), [point.name for point in points], fontsize=8)
    axes.set_ylim(len(points) - 0.5, -0.5)
    axes.grid(axis="y", linewidth=0.3)
    axes.set_xlabel("top-1 on the test images, %")


def _styles(count: int) -> list[tuple[str, str]]:
    """A colour and a marker for each row; no pair comes twice in the first 64."""
    colours, markers = ([pair[part] for pair in LINES] for part in (0, 1))
    size = len(LINES)
    return [(colours[i % size], markers[(i + i // size) % size]) for i in range(count)]


def _shown(point: RowPoint, points: Sequence[RowPoint]) -> float:
    return max(100 * point.top1, 100 * max(other.top1 for other in points) - FAR)


def rows_figure(points: Sequence[RowPoint], title: str) -> Figure:
    """Size against top-1, and beside it the rows by name, which say whose each point is."""
    figure = empty_figure(10.0, max(4.2, 1.2 + 0.24 * len(points)))
    left, right = figure.subplots(1, 2, width_ratios=[1.1, 1])
    draw_sizes(left, points)
    draw_rows(right, points)
    figure.suptitle(title)
    return figure


def save_rows_figure(points: Sequence[RowPoint], title: str, path) -> None:
    """Draw the picture of a table and write it."""
    save_figure(rows_figure(points, title), path)
