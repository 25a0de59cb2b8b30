"""The lessons that ship, each a file ``lessonNN_name.py`` in `tinyslim.tutorials`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from .cells import Cell, read_percent


@dataclass(frozen=True)
class Lesson:
    """A lesson.

    Attributes
    ----------
    number : int
    name : str
        Of its file, without the ending.
    cells : tuple of Cell
        With solutions.
    """

    number: int
    name: str
    cells: tuple[Cell, ...]

    @property
    def title(self) -> str:
        """Its first heading."""
        return self.cells[0].source.partition("\n")[0].removeprefix("# ")

    @property
    def path(self) -> Path:
        """The file."""
        return folder() / f"{self.name}.py"

    def answer(self, grade_id: str) -> Cell:
        """The cell in which a student answers this exercise, with its solution."""
        return next(cell for cell in self.cells if cell.is_answer and cell.grade_id == grade_id)

    @property
    def points(self) -> int:
        """What all its answers are worth, those marked by hand included."""
        return sum(cell.points for cell in self.cells)


def folder() -> Path:
    """Where the lessons lie."""
    return Path(str(files("tinyslim.tutorials")))


def lessons() -> list[Lesson]:
    """All lessons, in order.

    Examples
    --------
    >>> lessons()[1].title
    'One scalar to a million: the tape'
    """
    return [_read(path) for path in sorted(folder().glob("lesson[0-9][0-9]_*.py"))]


def lesson(number: int) -> Lesson:
    """The lesson of this number."""
    found = {one.number: one for one in lessons()}
    if number not in found:
        raise ValueError(f"`number` (={number!r}) must be a lesson's: {', '.join(map(str, found))}")
    return found[number]


def _read(path: Path) -> Lesson:
    cells = tuple(read_percent(path.read_text(encoding="utf-8")))
    return Lesson(int(path.stem[len("lesson") :][:2]), path.stem, cells)
