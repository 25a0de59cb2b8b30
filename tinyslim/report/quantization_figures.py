"""What quantisation looks like: each function draws into axes that it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .figures import BLUE, GREEN, GREY, ORANGE, VERMILLION

#: What each kind of noise is called, and how it is drawn.
NOISES = {
    "weight_noise": ("weight, rounded alone", ORANGE, "s"),
    "input_noise": ("input, rounded alone", GREEN, "D"),
    "output_noise": ("output, all before it rounded", BLUE, "o"),
}
#: Between 2 and so many levels each gets a line of its own; more would be a grey area.
MOST_LINES = 64


def draw_noise(axes, layers: Sequence) -> None:
    """Each layer's signal-to-quantisation-noise ratios, the first layer on top.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    layers : sequence of quant.LayerDiagnosis
    """
    for name, (label, colour, marker) in NOISES.items():
        found = [(getattr(layer, name), place) for place, layer in enumerate(layers)]
        found = [point for point in found if point[0] is not None]
        axes.plot(*zip(*found, strict=True) if found else ((), ()), marker, color=colour, markersize=4, label=label)
    axes.set_yticks(range(len(layers)), [layer.name for layer in layers], fontsize=7)
    axes.set_ylim(len(layers) - 0.4, -0.6)
    axes.set_xlabel("signal to quantisation noise, dB")
    axes.grid(axis="y", color=GREY, alpha=0.3, linewidth=0.6)


def draw_losses(axes, layers: Sequence, float_top1: float, top1: float) -> None:
    """What quantising each layer alone costs, as bars; a line for all of them together.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    layers : sequence of quant.LayerDiagnosis
    float_top1, top1 : float
        Without rounding, and with all of it.
    """
    changes = [100 * (layer.top1 - float_top1) for layer in layers]
    colours = [VERMILLION if change < 0 else GREEN for change in changes]
    axes.barh(range(len(layers)), changes, color=colours, height=0.7)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.axvline(
        100 * (top1 - float_top1),
        color=BLUE,
        linewidth=1.2,
        linestyle="--",
        label=f"all layers: {100 * float_top1:.2f} % → {100 * top1:.2f} %",
    )
    axes.margins(x=0.1)
    axes.set_xlabel("change of top-1, this layer alone, points")


def draw_ranges(axes, ranges: Mapping[str, Sequence]) -> None:
    """The upper ends of all grids by epoch, relative to the first; lines darken from the first layer to the last.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    ranges : mapping
        For each quantiser the (low, high) after each epoch.
    """
    from matplotlib import colormaps

    shades = colormaps["viridis_r"](np.linspace(0.15, 1, len(ranges)))
    for number, (shade, (path, ends)) in enumerate(zip(shades, ranges.items(), strict=True)):
        high = np.asarray(ends, float)[:, 1]
        named = number in (0, len(ranges) // 2, len(ranges) - 1)
        label = path.removeprefix("quantizers.") if named else None
        axes.plot(range(1, len(high) + 1), high / high[0], ".-", color=shade, linewidth=1, label=label)
    axes.set_xlabel("epoch of training with rounding")
    axes.set_ylabel("upper end of the grid, relative to epoch 1")
    axes.xaxis.get_major_locator().set_params(integer=True)


def draw_distribution(axes, found, title: str) -> None:
    """A histogram on a logarithmic scale; the clip as lines, and the levels of the grid as ticks along the bottom.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    found : quant.Distribution
    title : str
    """
    axes.stairs(np.maximum(found.counts, 0.5), found.edges, baseline=0.5, fill=True, color=BLUE, alpha=0.6)
    levels = np.arange(round((found.high - found.low) / found.step) + 1) * found.step + found.low
    height = 1.0 if len(levels) <= MOST_LINES else 0.06
    axes.vlines(levels, 0, height, GREY, linewidth=0.5, alpha=0.6, transform=axes.get_xaxis_transform(), label="levels")
    for end in (found.low, found.high):
        axes.axvline(end, color=VERMILLION, linewidth=1, label="clip" if end == found.high else None)
    axes.set_yscale("log")
    axes.set_ylim(0.5, max(20, 2 * max(found.counts)))
    axes.yaxis.set_minor_formatter("")
    axes.set_title(f"{title}\n{found.clipped:.2%} clipped", fontsize=7)
    axes.tick_params(labelsize=6)
