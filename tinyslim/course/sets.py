"""The two sets of files that lessons become: a student's folder, and the folder that nbgrader takes from a teacher."""

from __future__ import annotations

from pathlib import Path

from tinyslim.files import write_text_atomically

from .cells import Cell, read_percent, write_percent
from .lesson_list import Lesson, lessons
from .notebooks import read_notebook, write_notebook
from .solutions import STUBS, without_solutions

READERS = {".ipynb": read_notebook, ".py": read_percent}
WRITERS = {".ipynb": write_notebook, ".py": write_percent}

STUDENTS_README = """\
# The tinyslim course

Each file is a lesson. Read it from the top and run its cells; where it says `YOUR CODE HERE`, write yours. The cell
below an exercise checks it. In a terminal, in this folder:

    tinyslim course check 1

runs nothing but your answers and the checks of lesson 1, and says what each earned. `--answers` shows what was
expected.

Notebooks (`.ipynb`) open in JupyterLab, VS Code and the like; scripts (`.py`) run as they are: `python {example}.py`.
The images that lessons train on ship inside the package.
"""

NBGRADER_CONFIG = """\
# Made by `tinyslim course release`; `nbgrader generate_assignment --assignment lesson04_convolution` comes next.
c = get_config()
c.CourseDirectory.course_id = "tinyslim"
c.ClearSolutions.code_stub = {{"python": {code!r}}}
c.ClearSolutions.text_stub = {text!r}
# A lesson takes a minute at most; the first kernels to be compiled take longer.
c.ExecutePreprocessor.timeout = 300
c.Execute.timeout = 300
"""


def new(folder, ending: str = ".ipynb") -> tuple[list[Path], list[Path]]:
    """Write a student's folder: every lesson without solutions, and a README.

    Parameters
    ----------
    folder : str or Path
    ending : {".ipynb", ".py"}

    Returns
    -------
    list of Path, list of Path
        Files that were written, and those that were there already and stay as they are: they hold answers.
    """
    if ending not in WRITERS:
        raise ValueError(f"`ending` (={ending!r}) must be one of {', '.join(WRITERS)}")
    course = lessons()
    texts = {
        one.name + ending: WRITERS[ending]([without_solutions(cell) for cell in one.cells]) for one in course
    }  # fmt: skip
    texts["README.md"] = STUDENTS_README.format(example=course[0].name)
    return _write(Path(folder), texts)


def release(folder) -> tuple[list[Path], list[Path]]:
    """Write a teacher's folder, an assignment a lesson: nbgrader makes the students' versions of it, and grades.

    Returns
    -------
    list of Path, list of Path
        Files that were written, and those that were there already and stay as they are.
    """
    texts = {f"source/{one.name}/{one.name}.ipynb": write_notebook(one.cells) for one in lessons()}
    texts["nbgrader_config.py"] = NBGRADER_CONFIG.format(code=STUBS["code"], text=STUBS["markdown"])
    return _write(Path(folder), texts)


def _write(folder: Path, texts: dict[str, str]) -> tuple[list[Path], list[Path]]:
    written, kept = [], []
    for name, text in texts.items():
        path = folder / name
        if path.exists():
            kept.append(path)
        else:
            write_text_atomically(path, text)
            written.append(path)
    return written, kept


def find_answers(one: Lesson, folder) -> dict[str, str]:
    """A student's answers to a lesson: source by exercise.

    Raises
    ------
    FileNotFoundError
    ValueError
        When there is a notebook and a script, or a file can't be read.
    """
    found = [path for ending in READERS if (path := Path(folder) / (one.name + ending)).exists()]
    if not found:
        raise FileNotFoundError(
            f"there is no {one.name}.ipynb (or .py) in {str(folder)!r}: `tinyslim course new FOLDER`"
        )
    if len(found) > 1:
        raise ValueError(f"{found[0]} and {found[1].name} are the same lesson: which one holds the answers?")
    (path,) = found
    try:
        cells: list[Cell] = READERS[path.suffix](path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return {cell.grade_id: cell.source for cell in cells if cell.is_answer}
