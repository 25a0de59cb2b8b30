"""A climb as a table on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from .ladder import Climb, Step
from .timing import digits


def print_climb(climb: Climb, console: Console | None = None) -> None:
    """The rungs, then the machine's limits that they are held against."""
    console = console or Console()
    top = climb.peaks[-1]
    table = Table(title=f"The ladder of {climb.kernel}", title_justify="left", caption_justify="left")
    table.add_column("", justify="right")
    table.add_column("what the step does", min_width=24)
    table.add_column("size", no_wrap=True)
    for heading in ("ms", climb.unit, "of peak", "factor"):
        table.add_column(heading, justify="right", no_wrap=True)
    for step in climb.steps:
        table.add_row(*cells(step), style="red" if step.fault else None)
    console.print(table)
    for step in climb.steps:
        if step.fault:
            console.print(f"{step.name} is wrong and was not timed. {step.fault}", style="red", highlight=False)
    console.print(
        f"factor: times as fast as the step before. The peak, measured here with {top.threads} threads: "
        f"{climb.peak(top):,.0f} {climb.unit}. Loads from the nearest cache: {top.cache_gb:,.0f} GB/s; "
        f"copying memory, read and written: {top.memory_gb:,.0f} GB/s.",
        highlight=False,
    )


def cells(step: Step) -> tuple[str, ...]:
    """A rung's row."""
    if step.fault:
        return str(step.number), step.title, "wrong", "—", "—", "—", "—"
    factor = "" if step.factor is None else digits(step.factor)
    share = f"{100 * step.share:.{1 if step.share >= 0.01 else 3}f} %"
    return str(step.number), step.title, step.size, digits(step.timing.median), digits(step.rate), share, factor
