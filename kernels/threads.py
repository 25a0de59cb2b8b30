"""Small work runs on one thread: to wake the others, and to wait for them where the machine is busy, costs more."""

from __future__ import annotations

from collections.abc import Callable

from .jit import COMPILED

if COMPILED:
    from numba import get_num_threads, set_num_threads

#: Multiplications, or elements moved, below which a second thread does not pay.
SMALL = 1 << 16


def run(work: int, kernel: Callable, *arguments) -> None:
    """Call a parallel kernel that does so much work."""
    threads = get_num_threads()
    if work >= SMALL or threads == 1:
        kernel(*arguments)
        return
    set_num_threads(1)
    try:
        kernel(*arguments)
    finally:
        set_num_threads(threads)
