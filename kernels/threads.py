"""When several threads run a kernel: not for small work, not in a forked child, and one caller at a time if need be.

To wake threads and to wait for them costs more than small work takes, above all where the machine is busy. A process
that was forked while Numba's threads were up has lost them, and OpenMP ends it when it asks for them: there the plain
twins run. Numba's own threading layer, "workqueue", is all that is left where neither OpenMP nor TBB is installed, and
two threads that enter it at once bring the process down: there a lock makes them wait.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable

import numpy as np

from .buffers import empty
from .jit import COMPILED

if COMPILED:
    from numba import config, get_num_threads, set_num_threads, threading_layer

# GNU OpenMP's threads wait for one another by spinning, for milliseconds. Where another process holds the core that the
# late one needs, each loop then takes that long: a step of training beside another training took 17 times as long as
# alone, and 2.6 times with spins of some ten microseconds, which cost nothing when alone. Numba must not have loaded
# OpenMP yet, so it stands here.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

#: Multiplications, or elements moved, below which a second thread does not pay.
SMALL = 1 << 16


class _State:
    """What this process has done with threads: whether they are up, were lost in a fork, and need the lock."""

    launched = False
    lost = False
    needs_lock: bool | None = None  # unknown until the first parallel kernel has run
    lock = threading.RLock()


def _after_fork_in_child() -> None:
    _State.lost = _State.lost or _State.launched
    _State.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def lost() -> bool:
    """Whether this process must not run parallel kernels any more: it was forked from one whose threads were up."""
    return _State.lost


def thread_count() -> int:
    """How many threads kernels run on."""
    return get_num_threads() if COMPILED and not _State.lost else 1


def scratch(size: int, dtype) -> np.ndarray:
    """Memory for all threads, (thread, size): a thread works in the row of its `get_thread_id()`."""
    return empty((config.NUMBA_NUM_THREADS, size), dtype)


def run(work: int, kernel: Callable, *arguments) -> None:
    """Call a parallel kernel that does so much work."""
    threads = get_num_threads()
    if work >= SMALL or threads == 1:
        enter(kernel, *arguments)
        return
    set_num_threads(1)
    try:
        enter(kernel, *arguments)
    finally:
        set_num_threads(threads)


def enter(kernel: Callable, *arguments) -> None:
    """Call a parallel kernel on all threads, after whoever is inside one if the threading layer takes one alone."""
    _State.launched = True
    if _State.needs_lock is False:
        kernel(*arguments)
        return
    with _State.lock:
        kernel(*arguments)
        if _State.needs_lock is None:
            _State.needs_lock = _takes_one_caller(threading_layer())


def _takes_one_caller(layer: str) -> bool:
    """Whether this threading layer needs the lock; says once what would be faster."""
    if layer != "workqueue":
        return False
    warnings.warn(
        "Numba found neither OpenMP nor TBB, so small kernels run slower: install libgomp1 (or pip install tbb)",
        RuntimeWarning,
        stacklevel=4,
    )
    return True
