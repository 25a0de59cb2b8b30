"""Grading in a process of its own, so that an answer that never ends, or that ends Python, costs its points alone."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tinyslim.files import write_text_atomically

from .grading import Mark, grade
from .lesson_list import Lesson, lesson

#: Seconds for all answers of one lesson.
LIMIT = 120


def check(one: Lesson, answers: dict[str, str], limit: float = LIMIT) -> list[Mark]:
    """Grade answers to a lesson in a new process.

    Parameters
    ----------
    one : Lesson
    answers : dict
        Source by exercise.
    limit : float
        Seconds; what has no mark by then earns nothing.

    Returns
    -------
    list of Mark
        One for each exercise of the lesson.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, marked = Path(folder, "answers.json"), Path(folder, "marks.json")
        given.write_text(json.dumps(answers), encoding="utf-8")
        why = _run([sys.executable, "-m", __name__, str(one.number), str(given), str(marked)], limit)
        marks = [Mark(**mark) for mark in json.loads(marked.read_text())] if marked.exists() else []
    return marks + [Mark(name, points, 0, why) for name, points in _exercises(one)[len(marks) :]]


def _run(command: list[str], limit: float) -> str:
    """Run the grading process; returns why there are fewer marks than exercises, if there are."""
    try:
        code = subprocess.run(command, timeout=limit, check=False).returncode
    except subprocess.TimeoutExpired:
        return f"no mark after {limit:g} seconds: does this answer, or one before it, ever end?"
    return f"the process ended (code {code}) before this was marked: does an answer call exit()?"


def _exercises(one: Lesson) -> list[tuple[str, int]]:
    """The marks that `grade` gives, in its order."""
    return [(mark.exercise, mark.points) for mark in _marks_of_nothing(one)]


def _marks_of_nothing(one: Lesson) -> list[Mark]:
    return grade([cell for cell in one.cells if not cell.is_setup], {})


def main(number: str, given: str, marked: str) -> None:
    """What the process does: the marks so far lie in the file `marked` after each of them."""
    marks: list[dict] = []

    def write(mark: Mark) -> None:
        marks.append(asdict(mark))
        write_text_atomically(marked, json.dumps(marks))

    grade(lesson(int(number)).cells, json.loads(Path(given).read_text(encoding="utf-8")), write)


if __name__ == "__main__":
    main(*sys.argv[1:])
