"""The tables by name, and their rows."""

from __future__ import annotations

from collections.abc import Sequence

from tinyslim.naming import nearest

from .calibration_rows import CALIBRATION, LEARNED_STEPS
from .prune_rows import PRUNE
from .quant_rows import QUANT
from .recipe_rows import RECIPES
from .rows import Row

TABLES: dict[str, tuple[Row, ...]] = {
    "prune": PRUNE,
    "quant": (*QUANT, *LEARNED_STEPS, *CALIBRATION),
    "recipes": RECIPES,
}


def rows_of(table: str, names: Sequence[str] | None = None) -> tuple[Row, ...]:
    """The rows of a table, or those of them that `names` lists.

    Raises
    ------
    ValueError
        For a table or a row that there is not.

    Examples
    --------
    >>> [row.name for row in rows_of("prune", ["uniform", "control"])]
    ['control', 'uniform']
    """
    if table not in TABLES:
        raise ValueError(f"`table` (={table!r}) is unknown{nearest(str(table), TABLES)}")
    known = [row.name for row in TABLES[table]]
    for name in names or ():
        if name not in known:
            raise ValueError(f"`rows`: the table {table!r} has no row {name!r}{nearest(name, known)}")
    return tuple(row for row in TABLES[table] if names is None or row.name in names)
