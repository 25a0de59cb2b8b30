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
        deviations = (point.nbytes_deviation or 0) / 1e3, _deviation(point, points)
        _draw_point(axes, (size, top1), deviations, colour, marker)
        if _is_far(point, points):
            axes.annotate("↓", (size, top1), xytext=(6, 0), textcoords="offset points", va="center")
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
        _draw_point(axes, (_shown(point, points), place), (_deviation(point, points), 0), colour, marker)
        arrow = "← " if _is_far(point, points) else ""
        spread = "" if point.top1_deviation is None else f" ± {100 * point.top1_deviation:.2f}"
        label = f"{arrow}{100 * point.top1:.2f}{spread}"
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


def _draw_point(axes, place: tuple[float, float], deviations: tuple[float, float], colour: str, marker: str) -> None:
    xerr, yerr = (deviation or None for deviation in deviations)
    axes.errorbar(*place, yerr, xerr, fmt=marker, color=colour, markersize=6, capsize=2, linewidth=1)


def _shown(point: RowPoint, points: Sequence[RowPoint]) -> float:
    """Where a row is drawn, in %: at its top-1, or at the edge."""
    return max(100 * point.top1, 100 * max(other.top1 for other in points) - FAR)


def _is_far(point: RowPoint, points: Sequence[RowPoint]) -> bool:
    return _shown(point, points) > 100 * point.top1


def _deviation(point: RowPoint, points: Sequence[RowPoint]) -> float:
    """Half an error bar, in %; at the edge there is none, or it would tell of a place where the row isn't."""
    return 0 if _is_far(point, points) else 100 * (point.top1_deviation or 0)


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
