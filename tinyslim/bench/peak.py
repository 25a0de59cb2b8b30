"""The machine's limits, measured in the process that measures kernels."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyslim.kernels.jit import COMPILED

THREADS = 2

#: Bytes of an array that lies in the nearest cache, and of one that a thread copies, which no cache of its own holds.
NEAR, FAR = 1 << 14, 1 << 26


@dataclass(frozen=True)
class Peak:
    """What so many threads can do at most.

    Attributes
    ----------
    threads : int
    gflops : float
        Billions of float32 multiplications and additions a second (fused multiply-add).
    gops : float
        The same for bytes (`vpdpbusd`, or what this CPU has instead).
    cache_gb : float
        Billions of bytes a second that are loaded from the nearest cache.
    memory_gb : float
        Billions of bytes a second, read and written, when large arrays are copied.
    """

    threads: int
    gflops: float
    gops: float
    cache_gb: float
    memory_gb: float


def measure_peak(threads: int = THREADS, seconds: float = 0.2) -> Peak:
    """Measure all limits with so many threads.

    Parameters
    ----------
    threads : int
        At most as many as Numba has.
    seconds : float
        How long each of the four loops is repeated.

    Returns
    -------
    Peak
        Of the best repetition: what slows a loop down now and then is not its limit.
    """
    need_compiler()
    import numba

    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        return Peak(threads, *(limit(threads, seconds) for limit in (_gflops, _gops, _cache_gb, _memory_gb)))
    finally:
        numba.set_num_threads(before)


def need_compiler() -> None:
    """Refuse to measure where there is no machine code to be measured."""
    if not COMPILED:
        raise ValueError("machine code is measured here: it needs Numba, and NUMBA_DISABLE_JIT not to be set")


def _best(function: Callable, seconds: float) -> float:
    """Seconds of the fastest call, of as many as fit; the first compiles and does not count."""
    function()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


def _gflops(threads: int, seconds: float, steps: int = 100_000) -> float:
    from tinyslim.kernels.ladder import limits

    factor = np.ones(limits.FLOATS, np.float32)
    sums = np.zeros((threads, limits.CHAINS * limits.FLOATS), np.float32)

    def run() -> None:
        sums[:] = np.arange(limits.CHAINS).repeat(limits.FLOATS)
        limits.multiply_floats(sums, factor, steps)

    best = _best(run, seconds)
    expect("multiply-adds", sums[:, :: limits.FLOATS], np.arange(limits.CHAINS) + steps)
    return threads * steps * limits.CHAINS * limits.FLOAT_OPERATIONS / best / 1e9


def _gops(threads: int, seconds: float, steps: int = 100_000) -> float:
    from tinyslim.kernels.ladder import limits

    factor = np.full(limits.FLOATS, 0x01010101 if limits.DOT else 0, np.int32)
    sums = np.zeros((threads, limits.CHAINS * limits.FLOATS), np.int32)

    def run() -> None:
        sums[:] = np.arange(limits.CHAINS).repeat(limits.FLOATS)
        limits.multiply_bytes(sums, factor, steps)

    best = _best(run, seconds)
    expect("products of bytes", sums[:, :: limits.FLOATS], np.arange(limits.CHAINS) + (4 * steps if limits.DOT else 0))
    return threads * steps * limits.CHAINS * limits.BYTE_OPERATIONS / best / 1e9


def _cache_gb(threads: int, seconds: float, passes: int = 1000) -> float:
    from tinyslim.kernels.ladder import limits

    row = limits.CHAINS * limits.FLOATS
    values, sums = aligned(threads, NEAR // 4 // row * row), aligned(threads, row)
    values[:] = 1

    def run() -> None:
        sums[:] = 0
        limits.load_floats(sums, values, passes)

    best = _best(run, seconds)
    expect("loads", sums, passes * (values.shape[1] // row))
    return passes * values.nbytes / best / 1e9


def _memory_gb(threads: int, seconds: float) -> float:
    from tinyslim.kernels.ladder import limits

    source, target = aligned(threads, FAR // 4), aligned(threads, FAR // 4)
    source[:] = 1
    best = _best(lambda: limits.copy(source, target), seconds)
    expect("copies", target[:, ::4096], 1.0)
    return 2 * threads * FAR / best / 1e9


def aligned(rows: int, columns: int) -> np.ndarray:
    """Zeros (rows, columns) float32 from the start of a cache line: a vector that lies across two costs two loads."""
    space = np.zeros(rows * columns * 4 + 64, np.uint8)
    start = -space.ctypes.data % 64
    return space[start : start + rows * columns * 4].view(np.float32).reshape(rows, columns)


def expect(what: str, got, expected) -> None:
    """Refuse a measurement whose loop did not do its work."""
    if not np.array_equal(got, np.broadcast_to(expected, np.shape(got))):
        raise RuntimeError(f"the loop of {what} ended with {got}, expected {expected}: its time means nothing")
