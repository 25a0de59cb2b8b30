"""The course: lessons as cells, students' and teachers' sets made of them, grading, and what lessons show."""

from .cells import Cell, read_percent, write_percent
from .checking import check
from .grading import Mark, grade, run_setup
from .lesson_list import Lesson, lesson, lessons
from .notebooks import read_notebook, write_notebook
from .sets import find_answers, new, release
from .showing import picture, show
from .solutions import solution_of, without_solutions

__all__ = [
    "Cell",
    "Lesson",
    "Mark",
    "check",
    "find_answers",
    "grade",
    "lesson",
    "lessons",
    "new",
    "picture",
    "read_notebook",
    "read_percent",
    "release",
    "run_setup",
    "show",
    "solution_of",
    "without_solutions",
    "write_notebook",
    "write_percent",
]
