"""Marking answers: what exercises need is run, then each answer and the check behind it, and nothing else."""

from __future__ import annotations

import contextlib
import io
import linecache
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .cells import Cell

CHECK = "check_"


@dataclass(frozen=True)
class Mark:
    """What an answer earned.

    Attributes
    ----------
    exercise : str
    points : int
        That could be had.
    earned : int or None
        None: to be marked by hand.
    message : str
        Why the points were not earned; empty if they were.
    """

    exercise: str
    points: int
    earned: int | None
    message: str = ""


def grade(
    cells: Sequence[Cell], answers: Mapping[str, str], on_mark: Callable[[Mark], None] = lambda mark: None
) -> list[Mark]:
    """Run the answers against the checks of a lesson.

    The lesson's own checks are run, never those of a student's file. All share one namespace, in the lesson's order.

    Parameters
    ----------
    cells : sequence of Cell
        Of the lesson.
    answers : mapping
        Source by the exercise's `grade_id`; one that is missing earns nothing.
    on_mark
        Called with each mark as soon as it is known.

    Examples
    --------
    >>> exercise = Cell("code", "x = 2", {"nbgrader": {"grade_id": "two", "solution": True}})
    >>> graded = {"grade_id": "check_two", "grade": True, "points": 1}
    >>> check = Cell("code", "assert x == 2, 'x is not 2'", {"nbgrader": graded})
    >>> grade([exercise, check], {"two": "x = 3"})
    [Mark(exercise='two', points=1, earned=0, message='x is not 2')]
    """
    namespace, faults, marks = run_setup(cells), {}, []
    for cell in cells:
        mark = None
        if cell.is_marked_by_hand:
            mark = Mark(cell.grade_id, cell.points, None)
        elif cell.is_answer:
            faults[cell.grade_id] = _fault(answers.get(cell.grade_id), cell.grade_id, namespace)
        elif cell.is_check:
            exercise = cell.grade_id.removeprefix(CHECK)
            message = faults[exercise] or _fault(cell.source, cell.grade_id, namespace)
            mark = Mark(exercise, cell.points, 0 if message else cell.points, message)
        if mark:
            marks.append(mark)
            on_mark(mark)
    return marks


def run_setup(cells: Sequence[Cell]) -> dict:
    """What the lesson's setup cells define; what they print is not shown."""
    namespace: dict = {"__name__": "__lesson__"}
    with contextlib.redirect_stdout(io.StringIO()):
        for number, cell in enumerate(cell for cell in cells if cell.is_setup):
            exec(_compiled(cell.source, f"setup {number}"), namespace)
    return namespace


def _fault(source: str | None, name: str, namespace: dict) -> str:
    """Run `source`; returns what went wrong, in a sentence, or nothing."""
    if source is None:
        return "the answer's cell is missing: was it deleted, or its metadata?"
    try:
        exec(_compiled(source, name), namespace)
    except NotImplementedError:
        return "not written yet"
    except AssertionError as error:
        return str(error) or f"this is not so: {_line(error, name)}"
    except Exception as error:  # whatever a student's code may raise
        return f"{type(error).__name__}: {error}{_place(error)}"
    return ""


def _compiled(source: str, name: str):
    """Code whose traceback shows its lines, and whose functions `inspect` can read."""
    file = f"<{name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    return compile(source, file, "exec")


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    return [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith("<")]


def _place(error: BaseException) -> str:
    """The innermost line of cells that an error came through."""
    if isinstance(error, SyntaxError):
        return ""
    frames = _frames(error)
    return f" (in line {frames[-1].lineno} of {frames[-1].filename[1:-1]}: {frames[-1].line})" if frames else ""


def _line(error: BaseException, name: str) -> str:
    return next((frame.line for frame in reversed(_frames(error)) if frame.filename == f"<{name}>"), "an assertion")
