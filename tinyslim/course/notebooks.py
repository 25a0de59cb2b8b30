"""Jupyter notebooks (nbformat 4.5): JSON with a list of cells, so that neither writing nor reading needs Jupyter."""

from __future__ import annotations

import json
from collections.abc import Iterable

from .cells import Cell

#: nbgrader's metadata of a cell, format 3.
NBGRADER = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}


def write_notebook(cells: Iterable[Cell]) -> str:
    """The cells as a notebook that has not been run.

    Examples
    --------
    >>> written = write_notebook([Cell("code", "x = 1")])
    >>> read_notebook(written)
    [Cell(kind='code', source='x = 1', metadata={})]
    """
    notebook = {
        "cells": [_cell(number, cell) for number, cell in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _cell(number: int, cell: Cell) -> dict:
    # The same lesson gives the same file: ids are counted, not drawn.
    written = {
        "cell_type": cell.kind, "id": f"cell-{number:03}", "metadata": _metadata(cell),
        "source": cell.source.splitlines(keepends=True),
    }  # fmt: skip
    return written | ({"execution_count": None, "outputs": []} if cell.kind == "code" else {})


def _metadata(cell: Cell) -> dict:
    """nbgrader wants every key; a check is locked, so that autograding puts the teacher's in its place."""
    if "nbgrader" not in cell.metadata:
        return cell.metadata
    full = {**NBGRADER, "locked": not cell.is_answer, "cell_type": cell.kind, **cell.metadata["nbgrader"]}
    return {**cell.metadata, "nbgrader": full}


def read_notebook(text: str) -> list[Cell]:
    """The code and markdown cells of a notebook.

    Raises
    ------
    ValueError
        When it is none.
    """
    try:
        return [
            Cell(cell["cell_type"], "".join(cell["source"]), cell.get("metadata", {}))
            for cell in json.loads(text)["cells"]
            if cell["cell_type"] in ("code", "markdown")
        ]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"this is no notebook of format 4: {error!r}") from None
