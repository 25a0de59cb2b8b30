"""Many independent calls of one function: here, on a pool of processes, or on a cluster, with the same results.

What an executor adds is other workers, and workers that get lost. A trial must follow from its arguments alone, so a
lost one is simply run again elsewhere, and its result is the same bits wherever it ran.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from itertools import islice, starmap
from typing import TypeVar

from .single_thread import on_one_thread

#: How many trials are submitted at most and not yet yielded: each holds its arguments, often a whole network.
AHEAD = 128

Result = TypeVar("Result")
ExecutorOrMaker = Executor | Callable[[], Executor]


class WorkerLostError(OSError):
    """Workers were lost, and what they did can't be tried again."""


def run_trials(
    function: Callable[..., Result],
    arguments: Iterable[tuple],
    executor: ExecutorOrMaker | None = None,
    retries: int = 3,
) -> Iterator[Result]:
    """Call `function` with each of `arguments`; yield the results in that order, each as soon as it can be.

    When the caller stops, by Ctrl-C or an error, trials that have not begun are cancelled.

    Parameters
    ----------
    function
        For an executor of processes: importable by name. Its kernels run on one thread there, since the workers
        themselves are the parallelism.
    arguments : iterable of tuple
    executor : Executor, or a function that makes one; optional
        Without one, trials run in this process, one after the other. A `ProcessPoolExecutor` that has lost a process is
        broken for good: only where a function makes it (``lambda: ProcessPoolExecutor(2, context)``) can another take
        its place. Dask's (``Client(address).get_executor()``) goes on with the workers that are left.
    retries : int
        How often a trial whose worker was lost is submitted again.

    Raises
    ------
    WorkerLostError
        When that was not enough, or the executor is broken and no function makes another.
    Exception
        What a trial raises is raised here, in its turn, and not tried again.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> list(run_trials(pow, [(2, 3), (3, 2)], lambda: ThreadPoolExecutor(2)))
    [8, 9]
    """
    if executor is None:
        yield from starmap(function, arguments)
        return
    away, rest = _Away(function, executor, retries), iter(arguments)
    try:
        for turn, task in enumerate(islice(rest, AHEAD)):
            away.submit(turn, task)
        turn = 0
        while away.tasks:
            result = away.result(turn)
            for task in islice(rest, 1):
                away.submit(turn + AHEAD, task)
            yield result
            turn += 1
    finally:
        away.close()


class _Away:
    """Trials that an executor has been given: their arguments until they are done, and who was lost how often."""

    def __init__(self, function: Callable, executor: ExecutorOrMaker, retries: int):
        if not (isinstance(executor, Executor) or callable(executor)):
            raise TypeError(f"`executor` (={executor!r}) must be an Executor, or a function that makes one")
        self.make = None if isinstance(executor, Executor) else executor
        self.executor = self.make() if self.make else executor
        self.function, self.retries = function, retries
        self.tasks: dict[int, tuple] = {}
        self.lost: dict[int, int] = {}
        self.running: dict[Future, int] = {}
        self.done: dict[int, Future] = {}

    def submit(self, number: int, task: tuple) -> None:
        """Hand over a trial, for the first time or again."""
        self.tasks[number] = task
        # The last two tell an executor that remembers results (Dask's does) that this call is none of them.
        call = (_on_one_thread, self.function, task, number, self.lost.setdefault(number, 0))
        try:
            future = self.executor.submit(*call)
        except BrokenExecutor as error:
            if self.make is None:
                raise WorkerLostError(
                    "a worker was lost, and this executor takes no more trials: give a function that makes one"
                ) from error
            self.executor.shutdown(wait=False)
            self.executor = self.make()
            future = self.executor.submit(*call)
        self.running[future] = number

    def result(self, number: int):
        """Wait for one trial; others that are lost meanwhile are submitted again at once."""
        while number not in self.done:
            for future in wait(self.running, return_when=FIRST_COMPLETED).done:
                self._sort(future, self.running.pop(future))
        del self.tasks[number], self.lost[number]
        return self.done.pop(number).result()

    def _sort(self, future: Future, number: int) -> None:
        if not _was_lost(future):
            self.done[number] = future
            return
        self.lost[number] += 1
        if self.lost[number] > self.retries:
            raise WorkerLostError(f"trial {number} lost its worker {self.lost[number]} times") from _error(future)
        self.submit(number, self.tasks[number])

    def close(self) -> None:
        """Cancel what has not begun; an executor that was made here is shut down."""
        for future in self.running:
            future.cancel()
        if self.make:
            self.executor.shutdown(cancel_futures=True)


def _error(future: Future) -> BaseException | None:
    return CancelledError() if future.cancelled() else future.exception()


def _was_lost(future: Future) -> bool:
    """Whether it was not the trial that failed, but whoever ran it."""
    # Dask's error is known only where Dask is: to import it here would take a second.
    dask = sys.modules.get("distributed")
    return isinstance(_error(future), (BrokenExecutor, CancelledError, *([dask.KilledWorker] if dask else ())))


def _on_one_thread(function: Callable, task: tuple, *_):
    """What a worker runs."""
    with on_one_thread():
        return function(*task)
