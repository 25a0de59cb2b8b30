"""Whole pictures, and how they become files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyslim.files import write_atomically

from .figures import draw_trade_off, draw_training_curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def compression_figure(metrics: dict, history: list[dict]) -> Figure:
    """Accuracy against size, before and after, beside the training curve.

    Parameters
    ----------
    metrics : dict
        A compression's.
    history : list of dict
    """
    figure = empty_figure(9.6, 4.2)
    left, right = figure.subplots(1, 2)
    draw_trade_off(left, metrics)
    draw_training_curve(right, history, metrics["before"]["top1"])
    return figure


def training_figure(history: list[dict], start: float | None = None) -> Figure:
    """The training curve alone, and the top-1 before the first epoch if it is known."""
    figure = empty_figure(5.2, 4.0)
    draw_training_curve(figure.subplots(), history, start)
    return figure


def trade_off_figure(metrics: dict) -> Figure:
    """Accuracy against size alone."""
    figure = empty_figure(5.2, 4.0)
    draw_trade_off(figure.subplots(), metrics)
    return figure


def empty_figure(width: float, height: float) -> Figure:
    """An empty figure that no window and no backend of the user's knows of."""
    # matplotlib takes half a second to import, and who trains without pictures should not wait for it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path, alt: str | None = None) -> None:
    """Write a figure as PNG, whole or not at all; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
    path : str or Path
    alt : str, optional
        What there is to see; it stands in the file as its description.
    """
    metadata = {"Software": None} | ({"Description": alt} if alt else {})
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=150, metadata=metadata))


def save_compression_figure(metrics: dict, history: list[dict], path) -> None:
    """Draw the picture of a compression and write it."""
    save_figure(compression_figure(metrics, history), path)
