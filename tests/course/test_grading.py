"""Solutions pass, empty notebooks earn nothing, and wrong answers fail with a message that helps."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import pytest

from tinyslim import course
from tinyslim.cli import main

_file = importlib.util.spec_from_file_location("wrong_answers", Path(__file__).parent / "wrong_answers.py")
wrong_answers = importlib.util.module_from_spec(_file)
_file.loader.exec_module(wrong_answers)

LESSONS = course.lessons()
EXERCISES = [
    (one.number, cell.grade_id.removeprefix("check_")) for one in LESSONS for cell in one.cells if cell.is_check
]


@cache
def solutions(number: int) -> dict[str, str]:
    return {cell.grade_id: cell.source for cell in course.lesson(number).cells if cell.is_answer}


def graded(number: int, answers: dict[str, str]) -> dict[str, course.Mark]:
    return {mark.exercise: mark for mark in course.grade(course.lesson(number).cells, answers)}


@pytest.mark.parametrize("one", LESSONS, ids=lambda one: one.name)
def test_every_solution_earns_all_its_points(one):
    marks = graded(one.number, solutions(one.number)).values()
    assert [mark for mark in marks if mark.earned is not None and mark.earned < mark.points] == []


@pytest.mark.parametrize("one", LESSONS, ids=lambda one: one.name)
def test_the_empty_notebook_earns_nothing(one):
    empty = {cell.grade_id: course.without_solutions(cell).source for cell in one.cells if cell.is_answer}
    marks = [mark for mark in graded(one.number, empty).values() if mark.earned is not None]
    assert [mark.earned for mark in marks] == [0] * len(marks)
    assert {mark.message for mark in marks} == {"not written yet"}


def test_every_exercise_has_a_wrong_answer():
    assert set(wrong_answers.WRONG) == set(EXERCISES)


@pytest.mark.parametrize(("number", "exercise"), EXERCISES)
def test_a_typical_wrong_answer_fails_with_a_message_that_helps(number, exercise):
    answer, words = wrong_answers.WRONG[number, exercise]
    marks = graded(number, solutions(number) | {exercise: answer})
    assert marks[exercise].earned == 0
    assert words in marks[exercise].message
    others = [mark for name, mark in marks.items() if name != exercise and mark.earned is not None]
    assert all(mark.earned == mark.points for mark in others)


def test_a_deleted_cell_and_a_crash_cost_their_own_points_alone():
    answers = {**solutions(0), "bytes_after": "def bytes_after(*_):\n    return 1 / 0"}
    marks = graded(0, answers)
    assert marks["bytes_after"].message == (
        "ZeroDivisionError: division by zero (in line 2 of bytes_after: return 1 / 0)"
    )
    assert marks["keep"].earned == 2
    del answers["keep"]
    assert "missing" in graded(0, answers)["keep"].message


def test_text_that_is_no_python_is_told():
    assert graded(0, solutions(0) | {"keep": "def keep(:"})["keep"].message.startswith("SyntaxError")


def test_an_answer_that_never_ends_loses_what_comes_after_it_alone():
    answers = solutions(0) | {"keep": "while True: pass"}
    first, second, by_hand = course.check(course.lesson(0), answers, limit=8)
    assert (first.exercise, first.earned) == ("bytes_after", 1)
    assert (second.exercise, second.earned) == ("keep", 0) and "8 seconds" in second.message
    assert by_hand.exercise == "think"


def test_an_answer_that_ends_python_earns_nothing():
    marks = course.check(course.lesson(0), solutions(0) | {"bytes_after": "import os; os._exit(3)"})
    assert {mark.earned or 0 for mark in marks} == {0} and "code 3" in marks[0].message


@pytest.mark.parametrize("options", [[], ["--scripts"]])
def test_a_student_begins_answers_and_is_marked(options, tmp_path, capsys):
    assert main(["course", "new", str(tmp_path), *options]) == 0
    one = course.lesson(0)
    path = tmp_path / (one.name + (".py" if options else ".ipynb"))
    assert "BEGIN SOLUTION" not in path.read_text(encoding="utf-8")
    assert main(["course", "check", "0", "--folder", str(tmp_path), "--answers"]) == 0
    told = capsys.readouterr().out
    assert "0 of 3 points" in told and "return parameters * share_kept * bits / 8" in told and "by hand" in told
    text = path.read_text(encoding="utf-8").replace("# YOUR CODE HERE", "return parameters * share_kept * bits / 8", 1)
    path.write_text(text, encoding="utf-8")
    assert main(["course", "check", "0", "--folder", str(tmp_path)]) == 0
    assert "1 of 3 points" in capsys.readouterr().out
    assert main(["course", "new", str(tmp_path), *options]) == 0
    assert "kept as they were" in capsys.readouterr().out and path.read_text(encoding="utf-8") == text


def test_a_lesson_that_is_not_there_is_one_line_on_stderr(tmp_path, capsys):
    assert main(["course", "check", "99"]) == 2
    assert main(["course", "check", "0", "--folder", str(tmp_path)]) == 2
    (tmp_path / f"{course.lesson(0).name}.ipynb").write_text("{")
    assert main(["course", "check", "0", "--folder", str(tmp_path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert "`number` (=99)" in lines[0] and "there is no lesson00" in lines[1] and "no notebook" in lines[2]
