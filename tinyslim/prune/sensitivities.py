"""What was measured of each group: the loss of cutting it alone, how sure that is, and which ratios it suggests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from tinyslim.files import write_text_atomically

from .curves import fit_curve
from .stepping import Curve

FORMAT, VERSION = "tinyslim-sensitivity", 1


@dataclass(frozen=True)
class Measurement:
    """One trial: a group without some of its channels.

    Attributes
    ----------
    removed : int
        How many channels.
    score : float
    loss : float
        The score of the whole network minus this; below 0 where chance had it so.
    standard_error : float
        Of the loss, by the images that both networks were shown; NaN where it is unknown.
    """

    removed: int
    score: float
    loss: float
    standard_error: float


@dataclass(frozen=True)
class GroupSensitivity:
    """How the score falls as a group loses channels, all others being whole.

    Attributes
    ----------
    name : str
    width : int
        How many channels the group has.
    most : float
        The largest possible loss: the score of the whole network.
    measurements : list of Measurement
        In the order of `removed`.
    """

    name: str
    width: int
    most: float
    measurements: list[Measurement] = field(default_factory=list)

    @property
    def ratios(self) -> np.ndarray:
        """The shares of its channels that were gone: whole channels, so near to the ratios that were asked for."""
        return np.array([one.removed / self.width for one in self.measurements])

    @property
    def scores(self) -> np.ndarray:
        return np.array([one.score for one in self.measurements])

    @property
    def losses(self) -> np.ndarray:
        """As measured, negative ones too."""
        return np.array([one.loss for one in self.measurements])

    @property
    def standard_errors(self) -> np.ndarray:
        """Of the losses."""
        return np.array([one.standard_error for one in self.measurements])

    @cached_property
    def curve(self) -> Curve:
        """The fitted loss at any share of channels gone; see `fit_curve`."""
        return fit_curve(self.ratios, self.losses, self.standard_errors, self.most)

    def ratio_at(self, loss: float) -> float:
        """The largest share of whole channels, all but one at most, whose fitted loss is at most `loss`."""
        ratios = np.arange(self.width) / self.width
        return float(ratios[np.searchsorted(self.curve(ratios), loss, side="right") - 1]) if loss >= 0 else 0.0


class Suggestions(dict):
    """For each loss the ratio of every group: ``plan_ratios`` takes one such; print it for a table."""

    def __str__(self) -> str:
        names = list(next(iter(self.values()), {}))
        longest = max(map(len, ["loss", *names]))
        lines = ["loss".ljust(longest) + "".join(f"{loss:9.2%}" for loss in self)]
        lines += [name.ljust(longest) + "".join(f"{row[name]:9.1%}" for row in self.values()) for name in names]
        return "\n".join(lines)


@dataclass(frozen=True)
class Sensitivity:
    """What removing channels costs, group by group; print it for a table.

    Attributes
    ----------
    identity : dict
        What was measured: "model" and "data", criterion, patterns, seed, by name.
    ratios : tuple of float
        The shares that were asked for.
    baseline : float
        The score of the whole network.
    groups : dict of GroupSensitivity
        By name.
    """

    identity: dict
    ratios: tuple[float, ...]
    baseline: float
    groups: dict[str, GroupSensitivity]

    def suggest(self, losses: Iterable[float] = (0.01, 0.02, 0.05)) -> Suggestions:
        """For each of `losses` the ratios that cost that much, if each group were cut alone."""
        return Suggestions({loss: {n: group.ratio_at(loss) for n, group in self.groups.items()} for loss in losses})

    def __str__(self) -> str:
        longest = max(map(len, ["removed", *self.groups]))
        lines = [
            f"score {self.baseline:.2%}; its loss in points, ± standard error",
            "removed".ljust(longest) + "".join(f"{ratio:^12.0%}" for ratio in self.ratios),
        ]
        for group in self.groups.values():
            cells = {
                one.removed: f"{100 * one.loss:6.2f} ±{100 * one.standard_error:4.2f}" for one in group.measurements
            }
            row = [min(cells, key=lambda k: abs(k - ratio * group.width), default=None) for ratio in self.ratios]
            lines.append(group.name.ljust(longest) + "".join(cells.get(k, "").ljust(12) for k in row))
        return "\n".join(line.rstrip() for line in lines)

    def save(self, path, trials_left: int = 0) -> None:
        """Write everything to a JSON file, whole or not at all."""
        facts = {
            "format": FORMAT,
            "version": VERSION,
            "identity": self.identity,
            "ratios": self.ratios,
            "trials_left": trials_left,
            "baseline": self.baseline,
            "groups": {
                group.name: {"width": group.width, "measurements": [_row(one) for one in group.measurements]}
                for group in self.groups.values()
            },
        }
        write_text_atomically(path, json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    @classmethod
    def load(cls, path) -> Sensitivity:
        """What `save` wrote.

        Raises
        ------
        FileNotFoundError
        ValueError
            When the file is not a sensitivity, is damaged, or was left unfinished.
        """
        found, left = read_sensitivity(path)
        if left:
            raise ValueError(f"{str(path)!r} lacks {left} trials: measure with the same path again to go on with it")
        return found


def _row(one: Measurement) -> dict:
    return asdict(one) | ({"standard_error": None} if np.isnan(one.standard_error) else {})


def read_sensitivity(path) -> tuple[Sensitivity, int]:
    """What lies at `path`, and how many trials it still lacks."""
    path = Path(path)
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if (facts["format"], facts["version"]) != (FORMAT, VERSION):
            raise ValueError(f"format {facts['format']!r} {facts['version']}, expected {FORMAT!r} {VERSION}")
        baseline = float(facts["baseline"])
        groups = {
            name: GroupSensitivity(
                name, int(group["width"]), baseline, [_measured(row) for row in group["measurements"]]
            )
            for name, group in facts["groups"].items()
        }
        found = Sensitivity(dict(facts["identity"]), tuple(facts["ratios"]), baseline, groups)
        return found, int(facts["trials_left"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{str(path)!r} is not a whole sensitivity: {error!r}") from None


def _measured(row: dict) -> Measurement:
    error = float("nan") if row["standard_error"] is None else float(row["standard_error"])
    return Measurement(int(row["removed"]), float(row["score"]), float(row["loss"]), error)
