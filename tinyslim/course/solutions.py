"""Solutions between ``### BEGIN SOLUTION`` and ``### END SOLUTION``, nbgrader's marks: taken out, or taken alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from textwrap import dedent

from .cells import Cell

_REGION = re.compile(r"^(?P<indent>[ \t]*)### BEGIN SOLUTION\n(?P<body>.*?)\n?^[ \t]*### END SOLUTION$", re.M | re.S)

#: What stands in the place of a solution, by the kind of its cell; nbgrader is told the same.
STUBS = {
    "code": "# YOUR CODE HERE\nraise NotImplementedError",
    "markdown": "YOUR ANSWER HERE",
}


def without_solutions(cell: Cell) -> Cell:
    """The cell as a student gets it.

    Raises
    ------
    ValueError
        For a mark without its other half.

    Examples
    --------
    >>> cell = Cell("code", "def f(x):\\n    ### BEGIN SOLUTION\\n    return x\\n    ### END SOLUTION")
    >>> print(without_solutions(cell).source)
    def f(x):
        # YOUR CODE HERE
        raise NotImplementedError
    """
    return _replaced(cell, lambda found: _indented(STUBS[cell.kind], found["indent"]))


def solution_of(cell: Cell) -> str:
    """What the marks enclose, for reading: without the indentation of its function.

    Examples
    --------
    >>> print(solution_of(Cell("code", "def f(x):\\n    ### BEGIN SOLUTION\\n    return x\\n    ### END SOLUTION")))
    return x
    """
    return "\n…\n".join(dedent(found["body"]) for found in _REGION.finditer(cell.source))


def _replaced(cell: Cell, stub: Callable[[re.Match], str]) -> Cell:
    source = _REGION.sub(stub, cell.source)
    for mark in ("### BEGIN SOLUTION", "### END SOLUTION"):
        if mark in source:
            raise ValueError(f"cell {cell.grade_id!r} has a {mark!r} without its other half")
    return replace(cell, source=source)


def _indented(text: str, indent: str) -> str:
    return "\n".join(indent + line for line in text.split("\n"))
