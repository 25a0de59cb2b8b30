"""The drawing of the house: one row a floor, from the import-linter contract that CI checks.

python docs/making/house.py > house.svg
"""

from __future__ import annotations

import ast
import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WIDTH, FLOOR, GAP, MARGIN = 420, 44, 8, 14


def floors(pyproject: Path = ROOT / "pyproject.toml") -> list[list[str]]:
    """The rooms by floor, highest first; kernels, which import nothing of tinyslim, are the ground."""
    contract = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"][0]
    return [[room.strip().removeprefix("tinyslim.") for room in floor.split("|")] for floor in contract["layers"]] + [
        ["kernels"]
    ]


def source(room: str) -> Path:
    """The file whose docstring says what a room is for."""
    folder = ROOT / room if room == "kernels" else ROOT / "tinyslim" / room
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")


def purpose(room: str) -> str:
    """The first paragraph of a room's docstring, on one line."""
    text = ast.get_docstring(ast.parse(source(room).read_text(encoding="utf-8")))
    return " ".join(text.split("\n\n")[0].split())


def drawing() -> str:
    """An SVG that takes its colours from the page around it, light or dark."""
    rows = floors()
    height = 60 + len(rows) * (FLOOR + GAP) + MARGIN
    label = "The rooms of tinyslim by floor, from the top: " + "; ".join(", ".join(row) for row in rows)
    parts = [
        f'<svg class="house" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(label)}" font-family="sans-serif" font-size="15" text-anchor="middle">',
        f'<polygon points="{MARGIN},52 {WIDTH / 2},8 {WIDTH - MARGIN},52" '
        'fill="var(--md-primary-fg-color, #009485)" fill-opacity="0.85"/>',
    ]
    for number, row in enumerate(rows):
        width = (WIDTH - 2 * MARGIN - (len(row) - 1) * GAP) / len(row)
        for place, room in enumerate(row):
            x, y = MARGIN + place * (width + GAP), 60 + number * (FLOOR + GAP)
            parts.append(_room(room, x, y, width))
    return "\n".join([*parts, "</svg>"])


def _room(room: str, x: float, y: float, width: float) -> str:
    return (
        f"<g><title>{escape(purpose(room))}</title>"
        f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{FLOOR}" rx="4" '
        'fill="var(--md-primary-fg-color, #009485)" fill-opacity="0.13" '
        'stroke="var(--md-primary-fg-color, #009485)"/>'
        f'<text x="{x + width / 2:.1f}" y="{y + FLOOR / 2 + 5:.1f}" '
        f'fill="var(--md-default-fg-color, #333)">{escape(room)}</text></g>'
    )


def table() -> str:
    """A Markdown table with one line a room, lowest floor first: the order in which to read them."""
    rows = [f"| `{room}` | {purpose(room)} |" for floor in reversed(floors()) for room in floor]
    return "\n".join(["| room | what it is for |", "|---|---|", *rows])


if __name__ == "__main__":
    print(drawing())
