"""A number for each layer of two networks, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .pictures import empty_figure
from .pruning_figures import draw_pairs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Inches: in a page on a telephone its letters are not smaller than those around it.
NARROW = 4.6


def layers_figure(pairs: Mapping[str, tuple[float, float]], unit: str, form: str = "{:,.0f}") -> Figure:
    """Horizontal bars, before and after, the first layer on top.

    Parameters
    ----------
    pairs : mapping
        Before and after by the layer's name.
    unit : str
        What the numbers are.
    form : str
        How one is written.

    Examples
    --------
    >>> figure = layers_figure({"stem": (32, 16), "classifier": (10, 10)}, "channels")
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['32 → 16', '10']
    """

    def label(before: float, after: float) -> str:
        first, second = form.format(before), form.format(after)
        return first if first == second else f"{first} → {second}"

    figure = empty_figure(NARROW, 0.9 + 0.19 * len(pairs))
    axes = figure.subplots()
    draw_pairs(axes, pairs, label)
    axes.set_xlabel(unit, fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False, fontsize=8)
    return figure
