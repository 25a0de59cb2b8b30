"""Every lesson runs by itself, in time, and names commands that there are."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from statistics import mean

import pytest

from tinyslim import course
from tinyslim.cli.command_line import _parser

LESSONS = course.lessons()
NUMBERS = [one.number for one in LESSONS]
SECONDS, MEAN_SECONDS = 60, 25


@cache
def run(number: int, folder: Path) -> float:
    """Seconds of processors that a lesson takes, alone in a folder: no other lesson is there to help.

    On a machine that does nothing else, it takes no longer than that.
    """
    one = course.lesson(number)
    script = folder / f"{one.name}.py"
    script.write_text(one.path.read_text(encoding="utf-8"), encoding="utf-8")
    before = os.times()
    done = subprocess.run([sys.executable, "-W", "error", script.name], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("alone")


@pytest.mark.parametrize("number", NUMBERS)
def test_lesson_runs_alone_and_in_time(number, folder, tmp_path):
    # Compiling is not the lesson's time: who is late gets a second chance, with compiled kernels.
    assert run(number, folder) <= SECONDS or run(number, tmp_path) <= SECONDS
    pictures = [path.stem for path in (folder / "pictures").glob("*.png")]
    assert any(f'"{name}"' in course.lesson(number).path.read_text(encoding="utf-8") for name in pictures)


def test_lessons_keep_their_time_on_average(folder):
    assert mean(min(run(number, folder), MEAN_SECONDS * 2) for number in NUMBERS) <= MEAN_SECONDS


@pytest.mark.parametrize("one", LESSONS, ids=lambda one: one.name)
def test_lesson_has_all_its_parts(one):
    text = one.path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    for part in ("course.show(", "course.picture(", "$$", "**Think.**", "Sources: "):
        assert part in text, part
    by_hand = [cell for cell in one.cells if cell.is_marked_by_hand]
    assert len(by_hand) == 1 and "*One point" in by_hand[0].source
    assert 2 <= sum(cell.is_check for cell in one.cells) <= 3


@pytest.mark.parametrize("one", LESSONS, ids=lambda one: one.name)
def test_cells_survive_both_formats(one):
    cells = list(one.cells)
    assert course.read_percent(course.write_percent(cells)) == cells
    back = course.read_notebook(course.write_notebook(cells))
    assert [(cell.kind, cell.source, cell.grade_id, cell.points) for cell in back] == [
        (cell.kind, cell.source, cell.grade_id, cell.points) for cell in cells
    ]


# Commands.


def commands(text: str) -> list[str]:
    """What stands between backticks and begins with the program's name."""
    return re.findall(r"`(tinyslim [^`]+)`", text)


def refusal(command: str) -> str:
    """Why the command line refuses a command, or nothing."""
    parser = _parser()
    try:
        _without_exit(parser).parse_args(shlex.split(command)[1:])
    except ValueError as error:
        return str(error)
    return ""


def _without_exit(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The parser and those of its commands raise a ValueError instead of ending the process."""

    def fail(message: str):
        raise ValueError(message)

    parser.error = fail
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                _without_exit(inner)
    return parser


@pytest.mark.parametrize("one", LESSONS, ids=lambda one: one.name)
def test_commands_that_a_lesson_names_exist(one):
    text = re.sub(r"\n# ?", " ", one.path.read_text(encoding="utf-8"))
    assert [refusal(command) for command in commands(text) if refusal(command)] == []


def test_commands_that_do_not_exist_are_caught():
    assert commands("run `tinyslim cliff --seeds 3` now, or `grep`") == ["tinyslim cliff --seeds 3"]
    assert "invalid choice" in refusal("tinyslim compres")
    assert "unrecognized arguments" in refusal("tinyslim info --fast")
    assert refusal("tinyslim course check 4 --answers") == ""


def test_lessons_name_commands():
    assert sum(len(commands(one.path.read_text(encoding="utf-8"))) for one in LESSONS) >= len(LESSONS)
