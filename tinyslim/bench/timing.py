"""Medians of functions that are timed by turns, so that a slow spell of the machine hits all of them."""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one call.

    Attributes
    ----------
    median, low, high : float
        The median and the quartiles.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, seconds: list[float]) -> Timing:
        """The summary of single calls."""
        low, median, high = (1e3 * value for value in statistics.quantiles(seconds, n=4))
        return cls(median, low, high)

    def __str__(self) -> str:
        return f"{self.median:.1f} ms ({self.low:.1f} … {self.high:.1f})"


def by_turns(functions: dict[str, Callable], repeats: int = 20, warm_up: int = 3, turns: int = 4) -> dict[str, Timing]:
    """Time each function `repeats` times, in `turns` stretches by turns.

    Parameters
    ----------
    functions
        By name; each is called without arguments.
    repeats, warm_up, turns : int
        Calls that count, calls before each stretch that don't, and stretches.
    """
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(turns):
        for name, function in functions.items():
            for _ in range(warm_up):
                function()
            for _ in range(-(-repeats // turns)):
                start = time.perf_counter()
                function()
                seconds[name].append(time.perf_counter() - start)
    return {name: Timing.of(values) for name, values in seconds.items()}


def same_memory() -> bool:
    """Let glibc keep freed memory for the whole process, ours and the peers'; False where there is no glibc.

    Otherwise each large array is given back to the system and costs a page fault every 4 KiB when the next one is
    written: that alone decides comparisons of large tensors.
    """
    trim_threshold, mmap_threshold = -1, -3
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return all(mallopt(option, 2**31 - 1) for option in (trim_threshold, mmap_threshold))
