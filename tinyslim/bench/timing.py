"""Medians of functions that are timed by turns, so that a slow spell of the machine hits all of them."""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

#: Seconds between two functions' turns: threads that one left spinning fall asleep before the next one is timed.
#: OpenBLAS's spin longest, for 2^26 cycles.
PAUSE = 0.05
#: Seconds that a warm-up takes at least.
WARM_UP = 0.01


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one call.

    Attributes
    ----------
    median, low, high : float
        The median and the quartiles.
    repeats : int
        Calls that they stand on.
    """

    median: float
    low: float
    high: float
    repeats: int

    @classmethod
    def of(cls, seconds: list[float]) -> Timing:
        """The summary of single calls, two at least."""
        low, median, high = (1e3 * value for value in statistics.quantiles(seconds, n=4))
        return cls(median, low, high, len(seconds))

    def __str__(self) -> str:
        return f"{digits(self.median)} ms ({digits(self.low)} … {digits(self.high)})"


def digits(value: float) -> str:
    """A positive number with three digits that count.

    Examples
    --------
    >>> [digits(value) for value in (0.12345, 1.5, 98.76, 1234.5)]
    ['0.123', '1.50', '98.8', '1,234']
    """
    places = 3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{places}f}"


def by_turns(functions: dict[str, Callable], repeats: int = 20, warm_up: int = 3, turns: int = 4) -> dict[str, Timing]:
    """Time each function `repeats` times, in `turns` stretches by turns.

    Parameters
    ----------
    functions
        By name; each is called without arguments.
    repeats, warm_up, turns : int
        Calls that count, rounded up to a multiple of `turns`, calls at least before each stretch that don't, and
        stretches. Before each stretch nothing runs for a moment.
    """
    if repeats < 1:
        raise ValueError(f"`repeats` (={repeats}) must be at least 1")
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(turns):
        for name, function in functions.items():
            time.sleep(PAUSE)
            _warm_up(function, warm_up)
            for _ in range(-(-repeats // turns)):
                start = time.perf_counter()
                function()
                seconds[name].append(time.perf_counter() - start)
    return {name: Timing.of(values) for name, values in seconds.items()}


def _warm_up(function: Callable, calls: int) -> None:
    """Call it `calls` times, and further until `WARM_UP` seconds are over."""
    end = time.perf_counter() + WARM_UP
    while calls > 0:
        function()
        calls -= 1
        if calls == 0 and time.perf_counter() < end:
            calls = 1


def same_memory() -> bool:
    """Let glibc keep freed memory for the whole process, ours and the peers'; False where there is no glibc.

    Otherwise each large array is given back to the system and costs a page fault every 4 KiB when the next one is
    written: that alone decides comparisons of large tensors.
    """
    trim_threshold, mmap_threshold = -1, -3
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return all(mallopt(option, 2**31 - 1) for option in (trim_threshold, mmap_threshold))
