"""Run the lessons and keep what each cell printed and drew, for the site.

    python docs/making/run_lessons.py [7 8 …]

A lesson that has not changed since is not run again. Tests run all lessons anyway, so this is needed only where the
site is published.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from multiprocessing import get_context

from house import ROOT
from lesson_pages import OUTPUTS, lessons, number


def run(name: str) -> None:
    """Run one lesson, cell by cell, in a folder of its own."""
    cells = dict(lessons())[name]
    source = (ROOT / "tutorials" / f"{name}.py").read_text(encoding="utf-8")
    folder = OUTPUTS / name
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    printed, names = {}, {"__name__": "__main__"}
    for place, cell in enumerate(cells):
        if cell.kind == "code":
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(cell.source, f"{name}.py, cell {place}", "exec"), names)
            printed[place] = out.getvalue()
    whole = json.dumps({"source": source, "printed": printed}, ensure_ascii=False)
    new = folder / "outputs.json.new"
    new.write_text(whole, encoding="utf-8")
    new.replace(folder / "outputs.json")


def is_current(name: str) -> bool:
    """Whether the outputs are those of the lesson as it stands."""
    path = OUTPUTS / name / "outputs.json"
    source = (ROOT / "tutorials" / f"{name}.py").read_text(encoding="utf-8")
    return path.exists() and json.loads(path.read_text(encoding="utf-8"))["source"] == source


def main() -> None:
    """Each lesson in a process of its own, as a reader would run it."""
    wanted = {int(word) for word in sys.argv[1:]}
    for name, _ in lessons():
        if (not wanted or number(name) in wanted) and not is_current(name):
            print(name, flush=True)
            process = get_context("spawn").Process(target=run, args=(name,))
            process.start()
            process.join()
            if process.exitcode:
                sys.exit(f"{name} failed")


if __name__ == "__main__":
    main()
