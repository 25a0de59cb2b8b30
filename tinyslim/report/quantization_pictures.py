"""Whole pictures of quantisation, and how they become files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .pictures import empty_figure, save_figure
from .quantization_figures import draw_distribution, draw_losses, draw_noise, draw_ranges

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, COLUMNS = 8.0, 4


def noise_figure(diagnosis, width: float = WIDTH) -> Figure:
    """Noise by layer, and beside it, where that was measured, what each layer alone costs.

    Parameters
    ----------
    diagnosis : quant.Diagnosis
    width : float
        In inches.
    """
    measured = diagnosis.top1 is not None
    figure = empty_figure(width, 1.5 + 0.19 * len(diagnosis.layers))
    panels = figure.subplots(1, 1 + measured, sharey=True, squeeze=False)[0]
    draw_noise(panels[0], diagnosis.layers)
    if measured:
        draw_losses(panels[1], diagnosis.layers, diagnosis.float_top1, diagnosis.top1)
    figure.legend(loc="outside upper center", ncols=2 if width == WIDTH else 1, frameon=False, fontsize="small")
    return figure


def ranges_figure(ranges: Mapping, width: float = WIDTH) -> Figure:
    """How the ranges moved while the network trained with rounding.

    Parameters
    ----------
    ranges : mapping
        For each quantiser the (low, high) after each epoch.
    width : float
        In inches.
    """
    figure = empty_figure(width, 4.0)
    draw_ranges(figure.subplots(), ranges)
    figure.legend(loc="outside upper center", ncols=3 if width == WIDTH else 1, frameon=False, fontsize="small")
    return figure


def distributions_figure(diagnosis, what: str) -> Figure:
    """A small histogram for each layer.

    Parameters
    ----------
    diagnosis : quant.Diagnosis
    what : str
        "inputs" or "weights".
    """
    rows = -(-len(diagnosis.layers) // COLUMNS)
    figure = empty_figure(WIDTH, 0.6 + 1.35 * rows)
    panels = figure.subplots(rows, COLUMNS, squeeze=False).reshape(-1)
    for axes, layer in zip(panels, diagnosis.layers, strict=False):
        draw_distribution(axes, getattr(layer, what), layer.name)
    for axes in panels[len(diagnosis.layers) :]:
        axes.set_axis_off()
    units = {"inputs": "value of the layer's input", "weights": "weight, in steps of its channel"}
    figure.supxlabel(units[what], fontsize=9)
    figure.supylabel("how many", fontsize=9)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, frameon=False, fontsize=8)
    return figure


def save_quantization_figures(diagnosis, folder) -> list[Path]:
    """Draw a diagnosis into noise.png, inputs.png, weights.png and, if ranges are known, ranges.png; their paths."""
    figures = {
        "noise": noise_figure(diagnosis),
        "inputs": distributions_figure(diagnosis, "inputs"),
        "weights": distributions_figure(diagnosis, "weights"),
    }
    if diagnosis.ranges:
        figures["ranges"] = ranges_figure(diagnosis.ranges)
    paths = {name: Path(folder) / f"{name}.png" for name in figures}
    for name, figure in figures.items():
        save_figure(figure, paths[name])
    return list(paths.values())
