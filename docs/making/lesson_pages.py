"""A page for each lesson: its prose, its code, and what its code printed and drew, if that lies in build/lessons."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache

from house import ROOT

OUTPUTS = ROOT / "build/lessons"
SOLUTION = re.compile(r"[ ]*### BEGIN SOLUTION\n(.*?)[ ]*### END SOLUTION\n?", re.S)


@cache
def lessons() -> list:
    """(name, cells) of all lessons, in order."""
    paths = sorted((ROOT / "tutorials").glob("lesson[0-9][0-9]_*.py"))
    if not paths:
        return []
    from tinyslim.course.cells import read_percent

    return [(path.stem, read_percent(path.read_text(encoding="utf-8"))) for path in paths]


def number(name: str) -> int:
    """7, of ``lesson07_measuring``."""
    return int(name[len("lesson") :][:2])


def pages() -> Iterator[tuple[str, str]]:
    """(path, Markdown) of each lesson."""
    for name, cells in lessons():
        outputs = _outputs(name)
        parts = [_cell(cell, outputs.get(str(place), "")) for place, cell in enumerate(cells)]
        parts[0] = parts[0].replace("# ", f"# {number(name)} · ", 1)
        yield f"course/{name}.md", "\n\n".join(parts)


def pictures() -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of what lessons drew."""
    for path in sorted(OUTPUTS.glob("*/pictures/*.png")):
        yield f"course/{path.parent.parent.name}/{path.name}", path.read_bytes()


def index() -> str:
    """The lessons as a numbered list with their titles."""
    rows = [
        f"| {number(name)} | [{cells[0].source.partition(chr(10))[0].removeprefix('# ')}]({name}.md) |"
        for name, cells in lessons()
    ]
    return "\n".join(["| | lesson |", "|---|---|", *rows]) if rows else ""


def _outputs(name: str) -> dict[str, str]:
    """What each cell printed, by its place; nothing if the lesson was not run here, or has changed since."""
    path = OUTPUTS / name / "outputs.json"
    if not path.exists():
        return {}
    kept = json.loads(path.read_text(encoding="utf-8"))
    current = (ROOT / "tutorials" / f"{name}.py").read_text(encoding="utf-8")
    return {place: _shown(text, name) for place, text in kept["printed"].items()} if kept["source"] == current else {}


def _shown(printed: str, name: str) -> str:
    """Printed lines as a block, pictures as pictures."""
    parts = re.split(r"^\[picture pictures/([^:\]]+\.png): (.*)\]\n?", printed, flags=re.M)
    shown = [_block(parts[0])]
    for file, alt, rest in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        shown += [f"![{alt}]({name}/{file}){{ .picture }}", _block(rest)]
    return "\n\n".join(part for part in shown if part)


def _block(text: str) -> str:
    if not text.strip():
        return ""
    language = "python" if text.startswith("# tinyslim/") else "text"  # `course.show` prints source
    return f'<div class="lesson-output" markdown>\n\n```{language}\n{text.rstrip()}\n```\n\n</div>'


def _cell(cell, output: str) -> str:
    """A cell in Markdown; solutions lie folded."""
    if cell.kind == "markdown":
        found = SOLUTION.search(cell.source + "\n")
        return _folded("A sample answer", found[1].strip()) if found else cell.source
    found = SOLUTION.search(cell.source + "\n")
    if not found:
        return f"```python\n{cell.source}\n```\n\n{output}"
    question = SOLUTION.sub(lambda hole: f"{_indent(hole[1])}...  # your answer\n", cell.source + "\n").rstrip()
    whole = re.sub(r"[ ]*### (?:BEGIN|END) SOLUTION\n?", "", cell.source).rstrip()
    return f"```python\n{question}\n```\n\n" + _folded("A solution", f"```python\n{whole}\n```") + f"\n\n{output}"


def _indent(code: str) -> str:
    return code[: len(code) - len(code.lstrip())].rpartition("\n")[2]


def _folded(title: str, text: str) -> str:
    inside = "\n".join(f"    {line}".rstrip() for line in text.split("\n"))
    return f'??? note "{title}"\n\n{inside}'
