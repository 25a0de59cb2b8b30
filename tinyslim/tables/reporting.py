"""From the JSON files of a table to the page and the picture beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinyslim.files import write_text_atomically
from tinyslim.report import RowPoint, save_rows_figure

from .catalogue import rows_of
from .markdown import page
from .records import read_table
from .start_rows import START
from .summary import Summary, summarize


def read_summary(data: str, table: str, seeds: Sequence[int], out="results") -> Summary:
    """What the files below `out` tell of a table; nothing is measured.

    Raises
    ------
    ValueError
        When a file was changed, or files can't stand in one table.
    """
    folder = Path(out, data)
    names = [row.name for row in rows_of(table)]
    return summarize(data, table, names, seeds, read_table(folder / table), read_table(folder / START))


def write_report(summary: Summary, out="results") -> tuple[Path, Path | None]:
    """Write ``out/DATA/TABLE.md`` and, if there is anything to draw, ``out/DATA/TABLE.png``.

    Returns
    -------
    tuple of Path
        The page; the picture, or None.
    """
    folder = Path(out, summary.data)
    text, picture = folder / f"{summary.table}.md", folder / f"{summary.table}.png"
    write_text_atomically(text, page(summary, picture.name))
    if not summary.lines:
        return text, None
    points = [
        RowPoint(line.name, line.bytes.mean, line.bytes.deviation, line.top1.mean, line.top1.deviation)
        for line in summary.lines
    ]
    save_rows_figure(points, f"{summary.table} on {summary.data}", picture)
    return text, picture
