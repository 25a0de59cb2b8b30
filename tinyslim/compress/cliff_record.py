"""The points of a cliff, in a file that is whole after each of them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from pathlib import Path

import numpy as np

from tinyslim.files import write_text_atomically


@dataclass(frozen=True)
class CliffPoint:
    """One cut: the row's name, the share of FLOPs asked for, the seed; the share that went, and top-1 then."""

    row: str
    target: float
    seed: int
    removed: float
    top1: float


@dataclass
class Cliff:
    """What was measured of a network's cliff; print it for a table.

    Attributes
    ----------
    settings : dict
        All that the points follow from.
    baseline : float or None
        Top-1 of the whole network; None until it is measured.
    points : list of CliffPoint
    path : str or Path, optional
        Where `add` leaves a copy.
    """

    settings: dict
    baseline: float | None = None
    points: list[CliffPoint] = field(default_factory=list)
    path: str | Path | None = None

    @classmethod
    def load(cls, path) -> Cliff:
        """The cliff that `save` wrote to `path`."""
        try:
            found = json.loads(Path(path).read_text())
            return cls(found["settings"], found["baseline"], [CliffPoint(**point) for point in found["points"]], path)
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"`path` (={str(path)!r}) is no record of a cliff: {error!r}") from None

    @classmethod
    def open(cls, settings: dict, path=None) -> Cliff:
        """The cliff in `path`, or one without points.

        Raises
        ------
        ValueError
            When `path` holds a cliff of other settings: names what differs.
        """
        if path is None or not Path(path).exists():
            return cls(settings, path=path)
        found = cls.load(path)
        names = sorted({*found.settings, *settings})
        other = [name for name in names if found.settings.get(name) != settings.get(name)]
        if other:
            told = "; ".join(f"{name} was {found.settings.get(name)!r}, now {settings.get(name)!r}" for name in other)
            raise ValueError(f"`path` (={str(path)!r}) holds another cliff: {told}")
        return found

    def save(self, path) -> None:
        """Write everything as JSON."""
        whole = {
            "settings": self.settings, "baseline": self.baseline, "points": [asdict(point) for point in self.points]
        }  # fmt: skip
        write_text_atomically(path, json.dumps(whole, indent=1) + "\n")

    def add(self, point: CliffPoint) -> None:
        """Take in one more point, and write the file if there is one."""
        self.points.append(point)
        if self.path is not None:
            self.save(self.path)

    def has(self, row: str, target: float, seed: int) -> bool:
        """Whether this point is there."""
        return any((point.row, point.target, point.seed) == (row, target, seed) for point in self.points)

    @property
    def lines(self) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """For each row the shares removed, and mean and standard deviation of top-1 over the seeds (0 with one)."""
        found = {}
        for name in dict.fromkeys(point.row for point in self.points):
            by_target: dict[float, list[CliffPoint]] = {}
            for point in self.points:
                if point.row == name:
                    by_target.setdefault(point.target, []).append(point)
            same = [by_target[target] for target in sorted(by_target)]
            scores = [np.array([point.top1 for point in points]) for points in same]
            found[name] = (
                np.array([np.mean([point.removed for point in points]) for points in same]),
                np.array([score.mean() for score in scores]),
                np.array([score.std(ddof=1) if len(score) > 1 else 0.0 for score in scores]),
            )
        return found

    def __str__(self) -> str:
        """Top-1 in %, a column for each target."""
        lines = self.lines
        removed = next(iter(lines.values()))[0] if lines else ()
        table = [["FLOPs removed, %", "0", *(f"{100 * share:.1f}" for share in removed)]]
        for name, (_, mean, spread) in lines.items():
            cells = [
                f"{100 * score:.2f}" + (f" ± {100 * deviation:.2f}" if spread.any() else "")
                for score, deviation in zip(mean, spread, strict=True)
            ]
            table.append([name, f"{100 * self.baseline:.2f}", *cells])
        first, *others = zip_longest(*table, fillvalue="")
        columns = [[cell.ljust(max(map(len, first))) for cell in first]]
        columns += [[cell.rjust(max(map(len, column))) for cell in column] for column in others]
        return "\n".join("  ".join(row) for row in zip(*columns, strict=True))
