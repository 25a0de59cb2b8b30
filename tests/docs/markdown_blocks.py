"""The code blocks of Markdown pages, so that tests can run what readers are told to run."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line of the page on which the text begins."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page that name a language, in order."""
    text = page.read_text(encoding="utf-8")
    return [Block(found[1], found[2], text.count("\n", 0, found.start(2)) + 1) for found in BLOCK.finditer(text)]


def run_python(page: Path) -> None:
    """Run a page's Python blocks one after the other; a traceback tells the line of the page."""
    names: dict = {"__name__": "__main__"}
    for block in blocks(page):
        if block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), names)


def commands(page: Path) -> list[list[str]]:
    """The words after ``tinyslim`` on each line of the shell blocks that calls it, comments left out."""
    lines = [line for block in blocks(page) if block.language == "sh" for line in block.text.splitlines()]
    words = [shlex.split(part, comments=True) for line in lines for part in re.split(r"&&|>", line)]
    return [one[1:] for one in words if one and one[0].rpartition("/")[2] == "tinyslim"]
