"""Four kernels, each from plain Python loops to what the engine runs, one step a file.

>>> for rung in rungs("gemm"):
...     print(rung.number, rung.title)
1 Three loops in Python
2 The same loops, compiled
3 The inner loop runs along rows
4 Blocks that stay in the cache
5 The right matrix packed in the order of reading, four of its rows at a time
6 Sums in registers: the tile
7 Two threads
8 The engine's kernel

A step is a module whose function takes what the kernel of its ladder takes; a file `step9_mine.py` beside the others
is on the ladder at once. `tinyslim bench ladder gemm` checks each against the reference and times it.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from ..jit import COMPILED

#: The ladders by the folder of their steps, and the kernel that each of them is.
LADDERS = {
    "gemm": "gemm",
    "gemm_int8": "gemm_int8",
    "conv2d": "conv2d",
    "depthwise": "depthwise_conv2d",
}


@dataclass(frozen=True)
class Rung:
    """A step of a ladder.

    Attributes
    ----------
    number : int
    name : str
        The module's, such as ``step3_loop_order``.
    title : str
        The first line of the module's docstring.
    run : function
        Takes what the kernel takes, and returns what it returns.
    bytes_per_operation : float or None
        What the instructions of the inner loop load and store for one multiplication or addition of float32 or bytes,
        wherever the caches find it: the module's BYTES_PER_OPERATION, if it tells.
    """

    number: int
    name: str
    title: str
    run: Callable
    bytes_per_operation: float | None


def rungs(ladder: str) -> list[Rung]:
    """The steps of a ladder from the lowest; where nothing can be compiled, those alone that plain Python can run.

    Parameters
    ----------
    ladder : {"gemm", "gemm_int8", "conv2d", "depthwise"}
    """
    if ladder not in LADDERS:
        raise ValueError(f"`ladder` (={ladder!r}) must be one of {', '.join(LADDERS)}")
    folder = import_module(f".{ladder}", __name__)
    names = [found.name for found in pkgutil.iter_modules(folder.__path__) if found.name.startswith("step")]
    steps = [_rung(ladder, name) for name in sorted(names, key=_number)]
    return [step for step in steps if step is not None]


def _number(name: str) -> int:
    """3 of step3_loop_order."""
    return int(name.removeprefix("step").partition("_")[0])


def _rung(ladder: str, name: str) -> Rung | None:
    try:
        module = import_module(f".{ladder}.{name}", __name__)
    except ImportError:
        if COMPILED:
            raise
        return None
    title = module.__doc__.partition("\n")[0].rstrip(".")
    bytes_per_operation = getattr(module, "BYTES_PER_OPERATION", None)
    return Rung(_number(name), name, title, getattr(module, LADDERS[ladder]), bytes_per_operation)
