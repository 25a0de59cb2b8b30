"""Kernels on one thread for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Within it, the calling thread's kernels use no other: for workers that share a machine, and for steady timings.

    Examples
    --------
    >>> from tinyslim import kernels
    >>> from tinyslim.single_thread import on_one_thread
    >>> with on_one_thread():
    ...     kernels.threads.thread_count()
    1
    """
    from tinyslim.kernels.jit import COMPILED

    if not COMPILED:
        yield
        return
    from numba import get_num_threads, set_num_threads

    threads = get_num_threads()
    set_num_threads(1)
    try:
        yield
    finally:
        set_num_threads(threads)
