"""Climbing a ladder: each rung is checked against the reference, then timed, then set beside the machine's limits."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tinyslim.kernels import ladder as ladders
from tinyslim.kernels import reference

from .ladder_problems import Problem, odd_shapes, sizes
from .peak import THREADS, Peak, measure_peak, need_compiler
from .timing import Timing, same_memory
from .trial import describe, difference

#: A rung goes on to the next size if a call is expected to take no longer than this, in seconds.
LONGEST_CALL = 0.3
#: Seconds and calls that a rung is timed for, at most; two calls at least.
TIME_OF_RUNG, CALLS = 0.6, 40


@dataclass(frozen=True)
class Step:
    """What came out for one rung.

    Attributes
    ----------
    number, name, title, bytes_per_operation
        The rung's.
    fault : str or None
        Where it first differs from the reference; it is not timed then.
    size : str
    timing : Timing or None
        Milliseconds of a call.
    rate : float
        Billions of operations a second.
    share : float
        Of the machine's measured peak.
    factor : float or None
        How many times faster than the rung before it that is right.
    """

    number: int
    name: str
    title: str
    bytes_per_operation: float | None
    fault: str | None = None
    size: str = ""
    timing: Timing | None = None
    rate: float = 0.0
    share: float = 0.0
    factor: float | None = None


@dataclass(frozen=True)
class Climb:
    """A ladder climbed on this machine.

    Attributes
    ----------
    ladder, kernel : str
    unit : {"GFLOP/s", "GOP/s"}
    steps : list of Step
    peaks : list of Peak
        Of one thread and of all.
    least_traffic : float
        Operations for each byte of memory at the largest size, if every array is moved once.
    """

    ladder: str
    kernel: str
    unit: str
    steps: list[Step]
    peaks: list[Peak]
    least_traffic: float

    def peak(self, peak: Peak) -> float:
        """The arithmetic limit that this ladder climbs towards."""
        return peak.gops if self.unit == "GOP/s" else peak.gflops

    def print(self, console=None) -> None:
        """A table on the terminal, or on a rich console."""
        from .ladder_table import print_climb

        print_climb(self, console)

    def draw(self, path) -> Path:
        """The roofline with the rungs on it, as a PNG."""
        from .roofline import draw_roofline

        return draw_roofline(self, path)

    def to_json(self) -> str:
        """All of it."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)


def climb(ladder: str, threads: int = THREADS) -> Climb:
    """Check and time each rung of a ladder.

    Parameters
    ----------
    ladder : {"gemm", "gemm_int8", "conv2d", "depthwise"}
    threads : int
        That the threaded rungs and the peak use.
    """
    need_compiler()
    import numba

    rungs = ladders.rungs(ladder)
    same_memory()
    before, numbers = numba.get_num_threads(), sorted({1, threads})
    problems = [(problem, expected_of(ladder, problem)) for problem in sizes(ladder)]
    odd = [(problem, expected_of(ladder, problem)) for problem in odd_shapes(ladder)]
    numba.set_num_threads(threads)
    try:
        peaks = [measure_peak(count) for count in numbers]
        unit = "GOP/s" if ladder.endswith("int8") else "GFLOP/s"
        top = peaks[-1].gops if unit == "GOP/s" else peaks[-1].gflops
        steps: list[Step] = []
        for rung in rungs:
            right = [step for step in steps if step.fault is None]
            steps.append(climb_rung(ladder, rung, odd, problems, top, right[-1].rate if right else None))
    finally:
        numba.set_num_threads(before)
    largest = problems[-1][0]
    return Climb(ladder, ladders.LADDERS[ladder], unit, steps, peaks, largest.operations / largest.bytes)


def expected_of(ladder: str, problem: Problem) -> np.ndarray:
    """The reference's result."""
    return getattr(reference, ladders.LADDERS[ladder])(*problem.arguments)


def fault_of(ladder: str, rung, problem: Problem, expected: np.ndarray) -> str | None:
    """The first element that a rung computes wrongly, or how it fails; None if it is right."""
    try:
        wrong = difference(rung.run(*problem.arguments), expected)
    except Exception as error:  # a rung may be a student's
        wrong = f"{type(error).__name__}: {error}"
    return f"{describe(ladders.LADDERS[ladder], problem.arguments)}: {wrong}" if wrong else None


def climb_rung(ladder: str, rung, odd: list, problems: list, peak: float, previous: float | None) -> Step:
    """Check a rung on all shapes, and time it on the largest size that it can be expected to finish soon."""
    step = {field: getattr(rung, field) for field in ("number", "name", "title", "bytes_per_operation")}
    for problem, expected in odd:
        fault = fault_of(ladder, rung, problem, expected)
        if fault:
            return Step(**step, fault=fault)
    for index, (problem, expected) in enumerate(problems):
        fault = fault_of(ladder, rung, problem, expected)
        if fault:
            return Step(**step, fault=fault)
        seconds = call(rung, problem)
        following = problems[index + 1][0] if index + 1 < len(problems) else None
        if following is None or seconds * following.operations / problem.operations > LONGEST_CALL:
            break
    timing = time_rung(rung, problem, seconds)
    rate = problem.operations / timing.median / 1e6
    factor = rate / previous if previous else None
    return Step(**step, size=problem.label, timing=timing, rate=rate, share=rate / peak, factor=factor)


def call(rung, problem: Problem) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    rung.run(*problem.arguments)
    return time.perf_counter() - start


def time_rung(rung, problem: Problem, expected_seconds: float) -> Timing:
    """As many calls as fit into `TIME_OF_RUNG`."""
    calls = int(np.clip(TIME_OF_RUNG / expected_seconds, 2, CALLS))
    return Timing.of([call(rung, problem) for _ in range(calls)])
