"""Cells, and the percent format: a Python file in which ``# %%`` begins a cell and comments are the prose.

The format is jupytext's. What stands behind ``# %%`` on its line is metadata, ``key=JSON``; of it the course uses two
keys: nbgrader's own (`grade_id`, `solution`, `grade`, `points`) and ``tags=["setup"]`` for what exercises need.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_HEADER = re.compile(r"# %%(?P<markdown> \[markdown\])?(?P<metadata>.*)")
_KEY = re.compile(r"\s*(\w+)=")


@dataclass(frozen=True)
class Cell:
    """A piece of a lesson.

    Attributes
    ----------
    kind : {"code", "markdown"}
    source : str
        Without a newline at its end; markdown without comment signs.
    metadata : dict
        JSON values.
    """

    kind: str
    source: str
    metadata: dict = field(default_factory=dict)

    @property
    def grade_id(self) -> str | None:
        """What nbgrader calls the cell; None for all that is neither answer nor check."""
        return self.metadata.get("nbgrader", {}).get("grade_id")

    @property
    def points(self) -> int:
        """What the cell is worth; 0 for one that is not graded."""
        return self.metadata.get("nbgrader", {}).get("points", 0)

    @property
    def is_setup(self) -> bool:
        """Whether exercises need what this cell does."""
        return "setup" in self.metadata.get("tags", ())

    @property
    def is_answer(self) -> bool:
        """Whether a student writes here."""
        return bool(self.metadata.get("nbgrader", {}).get("solution"))

    @property
    def is_check(self) -> bool:
        """Whether the cell marks an answer by running."""
        return self.kind == "code" and bool(self.metadata.get("nbgrader", {}).get("grade"))

    @property
    def is_marked_by_hand(self) -> bool:
        """Whether a teacher marks the cell: an answer in words."""
        return self.is_answer and bool(self.metadata["nbgrader"].get("grade"))


def read_percent(text: str) -> list[Cell]:
    """The cells of a percent-format file.

    Raises
    ------
    ValueError
        For metadata that can't be read, and for text in front of the first cell.

    Examples
    --------
    >>> title, code = read_percent('# %% [markdown]\\n# # Title\\n\\n# %% tags=["setup"]\\nx = 1\\n')
    >>> title.source, code.source, code.is_setup
    ('# Title', 'x = 1', True)
    """
    cells: list[tuple[str, dict, list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.fullmatch(line)
        if header:
            kind = "markdown" if header["markdown"] else "code"
            cells.append((kind, _read_metadata(header["metadata"], number), []))
        elif cells:
            cells[-1][2].append(_uncommented(line) if cells[-1][0] == "markdown" else line)
        elif line.strip():
            raise ValueError(f"line {number} ({line!r}) stands in front of the first cell: begin with `# %%`")
    return [Cell(kind, "\n".join(lines).strip("\n"), metadata) for kind, metadata, lines in cells]


def _uncommented(line: str) -> str:
    return line.removeprefix("#").removeprefix(" ")


def _read_metadata(text: str, number: int) -> dict:
    """``key=JSON key=JSON`` as a dict."""
    found, place = {}, 0
    while text[place:].strip():
        key = _KEY.match(text, place)
        if not key:
            raise ValueError(f"line {number}: {text[place:].strip()!r} is not of the form key=JSON")
        try:
            found[key[1]], place = json.JSONDecoder().raw_decode(text, key.end())
        except json.JSONDecodeError as error:
            raise ValueError(f"line {number}: the value of {key[1]!r} is no JSON: {error}") from None
    return found


def write_percent(cells: Iterable[Cell]) -> str:
    """The percent-format file that `read_percent` reads back."""
    parts = []
    for cell in cells:
        kind = " [markdown]" if cell.kind == "markdown" else ""
        metadata = "".join(f" {key}={json.dumps(value, ensure_ascii=False)}" for key, value in cell.metadata.items())
        lines = cell.source.split("\n")
        if cell.kind == "markdown":
            lines = [f"# {line}".rstrip() for line in lines]
        parts.append("\n".join([f"# %%{kind}{metadata}", *lines]) + "\n")
    return "\n".join(parts)
