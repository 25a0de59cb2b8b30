"""What was timed side by side, as a table for the terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import geometric_mean
from typing import TYPE_CHECKING

from .machine import machine_facts
from .timing import Timing, digits

if TYPE_CHECKING:
    from rich.table import Table

OURS = "tinyslim"
#: How the name of a user's own kernel begins.
YOURS = "your "
#: Columns that the widest table takes.
LEAST_WIDTH = 150


def is_peer(name: str) -> bool:
    """Whether a contender is a peer, and neither ours nor a user's own."""
    return name != OURS and not name.startswith(YOURS)


@dataclass(frozen=True)
class Row:
    """One piece of work and who took how long for it.

    Attributes
    ----------
    work : str
    timings : dict of str to Timing
        By contender; "tinyslim" is ours.
    operations : int, optional
        Multiplications and additions of one call.
    figures : dict of str to float
        Further numbers: ratios to our own other work, memory.
    """

    work: str
    timings: dict[str, Timing]
    operations: int | None = None
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def best_peer(self) -> str | None:
        """The fastest contender but us and a user's own kernel, or None if there is none."""
        peers = {name: timing.median for name, timing in self.timings.items() if is_peer(name)}
        return min(peers, key=peers.get) if peers else None

    @property
    def ratio(self) -> float | None:
        """Our time over the best peer's."""
        peer = self.best_peer
        return None if peer is None else self.timings[OURS].median / self.timings[peer].median

    def rate(self, name: str) -> str:
        """10⁹ operations a second of a contender, to be read."""
        return "" if self.operations is None else digits(self.operations / self.timings[name].median / 1e6)

    def to_json(self) -> dict:
        """The row as JSON has it."""
        return {**asdict(self), "best_peer": self.best_peer, "ours_over_best_peer": self.ratio}


@dataclass(frozen=True)
class Comparison:
    """Rows of one kind of work.

    Attributes
    ----------
    title : str
    rows : sequence of Row
    unit : str
        Of `Row.rate`: "GFLOP/s" or, for integers, "GOP/s".
    notes : sequence of str
        What a reader must know to trust the numbers.
    """

    title: str
    rows: Sequence[Row]
    unit: str = "GFLOP/s"
    notes: Sequence[str] = ()

    @property
    def ratios(self) -> dict[str, float]:
        """The geometric mean of our time over each peer's that did all of the work, and over the best one's."""
        everyone = self.rows[0].timings if self.rows else {}
        names = [name for name in everyone if is_peer(name) and all(name in row.timings for row in self.rows)]
        means = {
            name: geometric_mean(row.timings[OURS].median / row.timings[name].median for row in self.rows)
            for name in names
        }
        return means | ({"the best": geometric_mean(row.ratio for row in self.rows)} if means else {})

    def to_json(self) -> dict:
        """The comparison as JSON has it."""
        rows = [row.to_json() for row in self.rows]
        return {"title": self.title, "rows": rows, "geometric_means": self.ratios, "notes": [*self.notes]}

    def brief_table(self) -> Table:
        """A line for each piece of work, with the best peer, for rich to print."""
        table = _table(
            self.title, "work", "tinyslim, ms", self.unit, "best peer, ms", self.unit, "which", "ours / peer"
        )
        for row in self.rows:
            cells = [row.work, str(row.timings[OURS]).replace(" ms", ""), row.rate(OURS)]
            if row.best_peer:
                peer = row.timings[row.best_peer]
                cells += [str(peer).replace(" ms", ""), row.rate(row.best_peer), row.best_peer, digits(row.ratio)]
            table.add_row(*cells)
        table.add_section()
        for name, mean in self.ratios.items():
            table.add_row("geometric mean", "", "", "", "", name, digits(mean))
        return table

    def full_table(self) -> Table:
        """A line for each contender, for rich to print; the last column holds our time over its time."""
        table = _table(self.title, "work", "who", "median, ms", "quartiles", self.unit, "ours / it")
        for row in self.rows:
            ours = row.timings[OURS].median
            for name, timing in row.timings.items():
                spread = f"{digits(timing.low)} … {digits(timing.high)}"
                ratio = "" if name == OURS else digits(ours / timing.median) + "*" * (name == row.best_peer)
                table.add_row(
                    row.work if name == OURS else "", name, digits(timing.median), spread, row.rate(name), ratio
                )
            for name, value in row.figures.items():
                table.add_row("", name, "", "", "", digits(value))
            table.add_section()
        return table


def _table(title: str, *columns: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        words = column in ("work", "which", "who")
        table.add_column(column, justify="left" if words else "right", no_wrap=True)
    return table


def print_comparisons(comparisons: Sequence[Comparison], full: bool) -> None:
    """Print the tables and, once, what was measured on and how.

    Parameters
    ----------
    comparisons
    full : bool
        A line for each contender, instead of one for each piece of work.
    """
    console = wide_console()
    for comparison in comparisons:
        console.print(comparison.full_table() if full else comparison.brief_table())
        for note in comparison.notes:
            console.print(f"  {note}", markup=False)
    console.print(f"  {machine_line(machine_facts())}", markup=False, soft_wrap=True)


def wide_console():
    """The terminal, taken to be wide enough: a table that is cut off tells less than one whose lines wrap."""
    from rich.console import Console

    console = Console(highlight=False)
    console.width = max(console.width, LEAST_WIDTH)
    return console


def machine_line(facts: dict) -> str:
    """The machine in one line."""
    versions = ", ".join(f"{name} {facts[name]}" for name in ("tinyslim", "python", "numpy", "numba") if facts[name])
    peers = "".join(f", {name} {found}" for name, found in facts["peers"].items() if found)
    return (
        f"{facts['cpu']}, {facts['cores']} cores, path {facts['path']}, {facts['threads']} threads "
        f"({facts['threading_layer']}); {versions}{peers}"
    )


def write_json(path, command: str, comparisons: Sequence[Comparison]) -> None:
    """Write all numbers, and what they were measured on, to `path`."""
    from tinyslim.files import write_text_atomically

    report = {
        "command": command,
        "machine": machine_facts(),
        "comparisons": [comparison.to_json() for comparison in comparisons],
    }
    write_text_atomically(path, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
