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
#: Seconds that a warm-up takes at least: with fewer, the first calls that count are the slowest.
WARM_UP = 0.05
#: Seconds of a stretch of calls that count, at least: short ones are called more often.
STRETCH = 0.005


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
    >>> [digits(value) for value in (0.00123, 0.12345, 1.5, 98.76, 1234.5)]
    ['0.00123', '0.123', '1.50', '98.8', '1,234']
    """
    if value < 0.1:
        return f"{value:.3g}"
    places = 3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{places}f}"


def by_turns(functions: dict[str, Callable], repeats: int = 20, warm_up: int = 3, turns: int = 4) -> dict[str, Timing]:
    """Time each function `repeats` times, in `turns` stretches by turns.

    Parameters
    ----------
    functions
        By name; each is called without arguments.
    repeats, warm_up, turns : int
        Calls that count, calls before each stretch that don't, and stretches; more calls where they are short.
        Before each stretch nothing runs for a moment.
    """
    if repeats < 1:
        raise ValueError(f"`repeats` (={repeats}) must be at least 1")
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(turns):
        for name, function in functions.items():
            time.sleep(PAUSE)
            _warm_up(function, warm_up)
            seconds[name] += _stretch(function, -(-repeats // turns))
    return {name: Timing.of(values) for name, values in seconds.items()}


def _warm_up(function: Callable, calls: int) -> None:
    """Call it `calls` times, and further until `WARM_UP` seconds are over."""
    end = time.perf_counter() + WARM_UP
    while calls > 0 or time.perf_counter() < end:
        function()
        calls -= 1


def _stretch(function: Callable, calls: int) -> list[float]:
    """Seconds of `calls` calls, and of further ones until `STRETCH` seconds are over."""
    seconds: list[float] = []
    end = time.perf_counter() + STRETCH
    while len(seconds) < calls or time.perf_counter() < end:
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return seconds


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
