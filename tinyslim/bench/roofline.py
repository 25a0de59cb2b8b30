"""The roofline: how fast a kernel can be for what its instructions load, and how fast each rung of a ladder is.

Williams et al. 2009 draw speed over operations a byte. A kernel that makes I operations for each byte it loads or
stores cannot be faster than I times the bandwidth, nor than the arithmetic units: a slope and a ceiling, the roof. The
bytes here are those that the instructions of the inner loop ask for, wherever they are found (the cache-aware model of
Ilic et al. 2014), so that blocking, registers and wider vectors move a rung to the right. A rung above the slope of
memory is served by a cache; none can be above that of the nearest cache.
"""

from __future__ import annotations

from pathlib import Path

from .ladder import Climb
from .peak import Peak
from .timing import digits

# Okabe and Ito 2008: colours that people of every colour vision can tell apart.
ARITHMETIC, CACHE, MEMORY, RUNG, ENGINE = "#222222", "#009E73", "#E69F00", "#0072B2", "#D55E00"
FEWEST = "#888888"

#: Labels are at least this far apart, in decades.
LABEL_DISTANCE = 0.26


def draw_roofline(climb: Climb, path) -> Path:
    """Write the roofline of a climb as a PNG.

    Parameters
    ----------
    climb : Climb
    path : str or Path

    Returns
    -------
    Path
    """
    path = Path(path)
    roofline_figure(climb).savefig(path)
    return path


def roofline_figure(climb: Climb):
    """The roofline of a climb as a matplotlib figure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6.2), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    points = places(climb)
    left = min(x for _, x in points) / 2.2
    right = max(8 * climb.least_traffic, 60 * max(x for _, x in points))
    for peak in climb.peaks:
        draw_roof(axes, climb, peak, left, right)
    draw_least_traffic(axes, climb, points)
    draw_rungs(axes, climb, points)
    decorate(axes, climb, left, right)
    return figure


def places(climb: Climb) -> list[tuple]:
    """(step, operations a byte) of each rung that is right; one that does not tell stands below or above the last."""
    points, before = [], 1.0
    for step in climb.steps:
        if step.fault is None:
            before = before if step.bytes_per_operation is None else 1 / step.bytes_per_operation
            points.append((step, before))
    return points


def draw_roof(axes, climb: Climb, peak: Peak, left: float, right: float) -> None:
    """The slopes of the nearest cache and of memory up to the ceiling of arithmetic, for so many threads."""
    top, all_threads = climb.peak(peak), peak is climb.peaks[-1]
    style = {"linewidth": 2.0 if all_threads else 1.2, "linestyle": "-" if all_threads else (0, (5, 2)), "zorder": 2}
    for bandwidth, colour in ((peak.cache_gb, CACHE), (peak.memory_gb, MEMORY)):
        axes.plot([left, top / bandwidth], [left * bandwidth, top], color=colour, **style)
    axes.plot([top / peak.cache_gb, right], [top, top], color=ARITHMETIC, **style)
    threads = f"{peak.threads} thread{'s' if peak.threads > 1 else ''}"
    axes.annotate(
        f"{threads}: {top:,.0f} {climb.unit}", (right, top), xytext=(-6, 4 if all_threads else -4),
        textcoords="offset points", ha="right", va="bottom" if all_threads else "top", color=ARITHMETIC, fontsize=8.5,
    )  # fmt: skip


def draw_least_traffic(axes, climb: Climb, points: list[tuple]) -> None:
    """A line at the operations a byte of memory that would be left if every array were moved once."""
    axes.axvline(climb.least_traffic, color=FEWEST, linewidth=1, linestyle=":", zorder=1)
    low, next_low = sorted(step.rate for step, _ in points)[:2]  # between Python and the first compiled rung is room
    axes.annotate(
        f" each array moved once:\n {climb.least_traffic:,.3g} operations\n a byte of memory",
        (climb.least_traffic, (low * next_low) ** 0.5), va="center", color=FEWEST, fontsize=8,
    )  # fmt: skip


def draw_rungs(axes, climb: Climb, points: list[tuple]) -> None:
    """The rungs, joined in the order of climbing, each with a label to the right that no other covers."""
    axes.plot([x for _, x in points], [step.rate for step, _ in points], color=RUNG, linewidth=1.2, alpha=0.4, zorder=3)
    heights = spread_out([step.rate for step, _ in points], LABEL_DISTANCE)
    label_x = 1.9 * max(x for _, x in points)
    for (step, x), height in zip(points, heights, strict=True):
        colour = ENGINE if step is points[-1][0] else RUNG
        axes.plot(x, step.rate, "o", markersize=12, color=colour, markeredgecolor="white", zorder=5)
        number = {"ha": "center", "va": "center_baseline", "color": "white", "fontsize": 7.5, "zorder": 5.5}
        axes.text(x, step.rate, str(step.number), **number)
        axes.annotate(
            f"{step.number}  {short(step.title)}  ·  {digits(step.rate)}", (x, step.rate), xytext=(label_x, height),
            textcoords="data", va="center", fontsize=8.5, color=colour, zorder=6,
            bbox={"boxstyle": "square,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
            arrowprops={
                "arrowstyle": "-", "color": colour, "alpha": 0.35, "linewidth": 0.8, "shrinkB": 6, "relpos": (0, 0.5),
            },
        )  # fmt: skip


def spread_out(values: list[float], decades: float) -> list[float]:
    """Heights near positive values, in their order, and at least so many decades apart.

    Examples
    --------
    >>> [round(height, 2) for height in spread_out([1.0, 10.0, 10.0], 1.0)]
    [0.46, 4.64, 46.42]
    """
    import numpy as np

    order, logs = np.argsort(values, kind="stable"), np.log10(values)
    groups: list[list] = []  # of values whose labels would touch: their mean place and how many they are
    for place in logs[order]:
        groups.append([place, 1])
        while len(groups) > 1 and groups[-1][0] - groups[-2][0] < decades * (groups[-1][1] + groups[-2][1]) / 2:
            (low, few), (high, many) = groups[-2:]
            groups[-2:] = [[(low * few + high * many) / (few + many), few + many]]
    spread = [middle + decades * (i - (count - 1) / 2) for middle, count in groups for i in range(count)]
    heights = np.empty(len(values))
    heights[order] = 10 ** np.array(spread)
    return heights.tolist()


def short(title: str) -> str:
    """A title without what follows its colon, or its first comma if it is still long."""
    title = title.partition(":")[0]
    return title if len(title) < 45 else title.partition(",")[0]


def decorate(axes, climb: Climb, left: float, right: float) -> None:
    """Scales, names of the axes and of the slopes."""
    top = climb.peaks[-1]
    axes.set(xscale="log", yscale="log", xlim=(left, right), ylim=(None, 3 * climb.peak(top)))
    axes.set_xlabel("operations for each byte that the inner loop's instructions load or store")
    axes.set_ylabel(climb.unit)
    axes.set_title(f"{climb.kernel}: the roofline of this machine, and the ladder's steps", loc="left", fontsize=12)
    axes.grid(True, which="major", color="#e6e6e6", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)
    slopes = (("nearest cache, loads", CACHE, "cache_gb"), ("memory, copy", MEMORY, "memory_gb"))
    for name, colour, field in slopes:
        figures = " · ".join(f"{getattr(peak, field):,.0f}" for peak in climb.peaks)
        axes.plot([], [], color=colour, linewidth=2, label=f"{name}: {figures} GB/s")
    axes.plot([], [], color=ARITHMETIC, linewidth=1.2, linestyle=(0, (5, 2)), label="dashed: one thread")
    axes.legend(loc="upper left", frameon=False, fontsize=8.5)
