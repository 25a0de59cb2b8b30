"""What to say about a name that nothing bears."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str:
    """What to say behind "there is no …": the nearest known name, or all of them.

    >>> nearest("prun", ["prune", "quant"]), nearest("x", ["prune", "quant"])
    ("; did you mean 'prune'?", '; there are prune, quant')
    """
    known = list(known)
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"
