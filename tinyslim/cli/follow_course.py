"""``tinyslim course``: a student's folder, its marks, and the teacher's set."""

from __future__ import annotations

import argparse
from textwrap import indent

_EXAMPLE = """\
examples:
  tinyslim course new mycourse              every lesson as a notebook, without the solutions
  tinyslim course check 4                   in that folder: what the answers to lesson 4 earn
  tinyslim course check 4 --answers         and what was expected
  tinyslim course release teaching          what nbgrader takes as it is"""


def add_to(commands) -> argparse.ArgumentParser:
    """Describe the arguments."""
    parser = commands.add_parser(
        "course",
        help="the lessons: a folder to work in, marks, the teacher's set",
        description="The course, from one scalar's derivative to an int8 MobileNet.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts = parser.add_subparsers(metavar="WHAT", dest="what", required=True)
    parts.add_parser("list", help="the lessons and what they are worth")
    new = parts.add_parser("new", help="write a student's folder", description="What is there already stays.")
    new.add_argument("folder", metavar="FOLDER")
    new.add_argument("--scripts", action="store_true", help="Python files in percent format instead of notebooks")
    check = parts.add_parser("check", help="mark a lesson's answers", description="Run answers and checks, no more.")
    check.add_argument("lesson", metavar="LESSON", type=int, help="its number")
    check.add_argument("--folder", default=".", help="where the lessons lie (default: here)")
    check.add_argument("--answers", action="store_true", help="show a solution of what earned nothing")
    check.add_argument("--limit", type=float, default=120, metavar="SECONDS", help="(default: %(default)s)")
    release = parts.add_parser("release", help="write the teacher's set for nbgrader")
    release.add_argument("folder", metavar="FOLDER")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Write or mark."""
    {"list": _list, "new": _new, "check": _check, "release": _release}[arguments.what](arguments)


def _list(arguments: argparse.Namespace) -> None:
    from tinyslim import course

    for one in course.lessons():
        print(f"{one.number:2}  {one.title}  ({one.points} points)")


def _new(arguments: argparse.Namespace) -> None:
    from tinyslim import course

    _tell(*course.new(arguments.folder, ".py" if arguments.scripts else ".ipynb"))
    print(f"begin with README.md in {arguments.folder}")


def _release(arguments: argparse.Namespace) -> None:
    from tinyslim import course

    _tell(*course.release(arguments.folder))
    print(f"next, in {arguments.folder}: nbgrader generate_assignment --assignment {course.lessons()[0].name}")


def _tell(written: list, kept: list) -> None:
    for path in written:
        print(f"wrote {path}")
    if kept:
        print(f"kept as they were, since answers may stand in them: {', '.join(path.name for path in kept)}")


def _check(arguments: argparse.Namespace) -> None:
    from tinyslim import course

    if not arguments.limit > 0:
        raise ValueError(f"`--limit` (={arguments.limit:g}) must be above 0")
    one = course.lesson(arguments.lesson)
    marks = course.check(one, course.find_answers(one, arguments.folder), arguments.limit)
    print(f"lesson {one.number}: {one.title}")
    for mark in marks:
        print(_line(mark))
        if arguments.answers and not mark.earned:
            print(indent(f"expected, for example:\n{course.solution_of(one.answer(mark.exercise))}", " " * 6))
    by_machine = [mark for mark in marks if mark.earned is not None]
    print(f"{sum(mark.earned for mark in by_machine)} of {sum(mark.points for mark in by_machine)} points")


def _line(mark) -> str:
    if mark.earned is None:
        return f"  –  {mark.exercise}: {mark.points} points, marked by hand"
    if mark.earned:
        return f"  ✓  {mark.exercise}: {mark.earned} of {mark.points}"
    return f"  ✗  {mark.exercise}: 0 of {mark.points}\n{indent(mark.message, ' ' * 6)}"
