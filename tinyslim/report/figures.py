"""What a picture is put together from: each function draws into axes that it is given."""

from __future__ import annotations

# Okabe and Ito 2008: colours that people of every colour vision can tell apart.
VERMILLION, BLUE, GREEN, ORANGE, GREY = "#D55E00", "#0072B2", "#009E73", "#E69F00", "#999999"
BEFORE, AFTER, TRAIN, TEST = VERMILLION, BLUE, GREY, BLUE


def draw_trade_off(axes, metrics: dict) -> None:
    """Top-1 against size, the model as it came and as it is now.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    metrics : dict
        With ``before`` and ``after``.
    """
    before, after, found = metrics["before"], metrics["after"], metrics["difference"]
    start, size = 100 * before["top1"], after["bytes"] / 1e3
    axes.vlines(
        size,
        start + 100 * found["low"],
        start + 100 * found["high"],
        AFTER,
        alpha=0.5,
        label="95 % interval of the difference",
    )
    _point(axes, before, "before", BEFORE, "o", side="right")
    _point(axes, after, "after", AFTER, "D", side="left")
    axes.margins(y=0.25)
    axes.set_xlim(0, 1.15 * max(before["bytes"], after["bytes"]) / 1e3)
    axes.set_xlabel("size of the Program, kB")
    axes.set_ylabel("top-1 on the test images, %")
    axes.set_title(f"{metrics['size_reduction']:.1%} smaller, top-1 {_signed(100 * found['change'])} points")
    draw_legend(axes)


def _point(axes, column: dict, name: str, colour: str, marker: str, side: str) -> None:
    """One model, its label standing on the side where the other model is not in the way."""
    place = column["bytes"] / 1e3, 100 * column["top1"]
    axes.plot(*place, marker, color=colour, markersize=9)
    axes.annotate(
        f"{name}\n{place[0]:,.0f} kB\n{place[1]:.2f} %",
        place,
        xytext=(-10 if side == "right" else 10, 0),
        textcoords="offset points",
        ha=side,
        va="center",
        color=colour,
    )


def _signed(number: float) -> str:
    return f"{number:+.2f}".replace("-", "−")


def draw_legend(axes) -> None:
    """Below the axes, where no curve can run through it."""
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, fontsize="small")


def draw_training_curve(axes, history: list[dict], start: float | None = None) -> None:
    """Top-1 by epoch, on training batches and on the test set.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    history : list of dict
        As `train.fit` returns it.
    start : float, optional
        The top-1 before the first epoch.
    """
    axes.plot(
        [entry["epoch"] for entry in history],
        [100 * entry["train_top1"] for entry in history],
        "o--",
        color=TRAIN,
        markersize=4,
        label="training batches",
    )
    tested = [(entry["epoch"], 100 * entry["top1"]) for entry in history if "top1" in entry]
    if tested:
        axes.plot(*zip(*tested, strict=True), "D-", color=TEST, markersize=5, label="test images")
    if start is not None:
        axes.axhline(100 * start, color=BEFORE, linewidth=1, linestyle=":", label="test images, before")
    axes.set_xlabel("epoch")
    axes.set_ylabel("top-1, %")
    axes.set_title("Training")
    axes.xaxis.get_major_locator().set_params(integer=True)
    draw_legend(axes)
