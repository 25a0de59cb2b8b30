"""Where a run leaves what it makes: a folder that no other run's results lie in."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from itertools import count
from pathlib import Path

CHECKPOINT, BEST, METRICS = "checkpoint.npz", "best.npz", "metrics.json"
PICTURES = ("compression.png", "widths*.png", "sensitivity*.png", "search*.png")
#: Every file of a run, as patterns: with several cuts there are several of a kind.
MADE = (
    *(CHECKPOINT, BEST, METRICS, "program.npz", "model.npz", "config.json", "report.html"),
    *("sensitivity*.json", "search*.jsonl"),
    *PICTURES,
)


def fresh_folder(wish: Path) -> Path:
    """`wish`, or the first of wish-2, wish-3, … that holds neither a finished run nor one that could be resumed."""
    return next(folder for folder in _numbered(wish) if not _is_taken(folder))


def folder_to_resume(wish: Path) -> Path | None:
    """Of `wish`, wish-2, … the last whose run was stopped; None if there is none."""
    stopped = None
    for folder in _numbered(wish):
        if not _is_taken(folder):
            return stopped
        if (folder / CHECKPOINT).exists():
            stopped = folder
    return stopped


def sweep(folder: Path) -> None:
    """Remove what a kill left of files that were being written: those are hidden until they are whole."""
    for left in folder.glob(".*.*.*"):
        if any(fnmatch(left.name[1:].rpartition(".")[0], made) for made in MADE):
            left.unlink()


def _numbered(wish: Path) -> Iterator[Path]:
    yield wish
    yield from (wish.with_name(f"{wish.name}-{number}") for number in count(2))


def _is_taken(folder: Path) -> bool:
    return (folder / CHECKPOINT).exists() or (folder / METRICS).exists()
