"""The log of a search: what was searched, and a line for every trial."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tinyslim.files import write_text_atomically
from tinyslim.train import differences


@dataclass(frozen=True)
class Trial:
    """One evaluated network of a search.

    Attributes
    ----------
    step : int
        0 is the start.
    ratios : dict
        For each group, by name, the share of its channels that goes.
    flops_removed : float
        The share of the FLOPs that goes.
    score : float
    standard_error : float or None
        Of the score, if `evaluate` gave a number an image.
    temperature : float
        At which it was accepted or refused; 0 lets the search only climb.
    accepted : bool
        Whether the search went on from here.
    best : bool
        Whether no trial before scored as much.
    """

    step: int
    ratios: dict[str, float]
    flops_removed: float
    score: float
    standard_error: float | None
    temperature: float
    accepted: bool
    best: bool


class TrialLog:
    """The trials so far, in JSON lines: first what the search is, then a line a trial.

    A second call with the same `path` and `identity` is given what the first one had finished. It goes the same way
    again without evaluating anything, and every trial that it adds is held against the line that is there.

    Parameters
    ----------
    path : str or Path, or None for no file
    identity : dict
        What the search is: JSON values.

    Attributes
    ----------
    before : list of Trial
        What the file held at the beginning.
    trials : list of Trial
        What has been added.

    Raises
    ------
    ValueError
        When the file is another search's: shows every difference. When a line is damaged: names it.
    """

    def __init__(self, path, identity: dict) -> None:
        self.path, self.identity = None if path is None else Path(path), identity
        self.before = self._read() if self.path and self.path.exists() else []
        self.trials: list[Trial] = []

    def add(self, trial: Trial) -> bool:
        """Append a trial, and write the whole file; returns whether it is new."""
        number = len(self.trials)
        self.trials.append(trial)
        if number < len(self.before):
            if told := differences(asdict(self.before[number]), asdict(trial)):
                raise ValueError(f"line {number + 2} of the log {str(self.path)!r} does not follow: {told}")
            return False
        if self.path:
            lines = [self.identity, *map(asdict, self.trials)]
            write_text_atomically(self.path, "".join(json.dumps(line) + "\n" for line in lines))
        return True

    def _read(self) -> list[Trial]:
        lines = self.path.read_text(encoding="utf-8").splitlines() or [""]
        # As a file gives the identity back: tuples are lists there.
        if told := differences(self._line(lines, 0, dict), json.loads(json.dumps(self.identity))):
            raise ValueError(f"the log {str(self.path)!r} belongs to another search: {told}")
        return [self._line(lines, number, lambda values: Trial(**values)) for number in range(1, len(lines))]

    def _line(self, lines: list[str], number: int, build):
        try:
            return build(json.loads(lines[number]))
        except (TypeError, ValueError) as error:
            raise ValueError(f"line {number + 1} of the log {str(self.path)!r} is damaged: {error}") from None
