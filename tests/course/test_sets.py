"""Cells, solutions, and the teacher's set."""

from __future__ import annotations

import json

import pytest

from tinyslim import course
from tinyslim.course import Cell


def test_released_notebooks_hold_what_nbgrader_asks_for(tmp_path):
    written, kept = course.release(tmp_path)
    assert not kept and (tmp_path / "nbgrader_config.py") in written
    compile((tmp_path / "nbgrader_config.py").read_text(), "nbgrader_config.py", "exec")
    for one in course.lessons():
        notebook = json.loads((tmp_path / "source" / one.name / f"{one.name}.ipynb").read_text(encoding="utf-8"))
        assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
        ids = [cell["id"] for cell in notebook["cells"]]
        assert len(set(ids)) == len(ids)
        graded = [cell["metadata"]["nbgrader"] for cell in notebook["cells"] if "nbgrader" in cell["metadata"]]
        assert len({cell["grade_id"] for cell in graded}) == len(graded)
        for cell in graded:
            assert {"grade", "grade_id", "locked", "schema_version", "solution", "task", "cell_type"} <= set(cell)
            assert ("points" in cell) == cell["grade"]


def test_released_notebooks_fit_nbformats_schema(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    course.release(tmp_path)
    for path in tmp_path.rglob("*.ipynb"):
        nbformat.validate(nbformat.read(path, as_version=4))


@pytest.mark.parametrize(
    ("text", "told"),
    [("x = 1\n# %%\n", "in front of the first cell"), ("# %% tags=[", "no JSON"), ("# %% what\n", "key=JSON")],
)
def test_a_file_that_is_no_percent_format_is_refused_with_its_line(text, told):
    with pytest.raises(ValueError, match=told):
        course.read_percent(text)


def test_half_a_solution_mark_is_refused():
    with pytest.raises(ValueError, match="without its other half"):
        course.without_solutions(Cell("code", "### BEGIN SOLUTION\nx = 1"))


def test_two_solutions_in_one_cell_both_go():
    cell = Cell(
        "code", "a = 1\n### BEGIN SOLUTION\nb = 2\n### END SOLUTION\nc = 3\n### BEGIN SOLUTION\nd = 4\n### END SOLUTION"
    )
    assert "b = 2" not in course.without_solutions(cell).source and "d = 4" not in course.without_solutions(cell).source
    assert course.solution_of(cell) == "b = 2\n…\nd = 4"


def test_a_picture_needs_words():
    with pytest.raises(ValueError, match="`alt`"):
        course.picture(None, "name", "a picture")
