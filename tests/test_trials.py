"""Trials give the same results wherever they run, in their order, and survive the loss of workers."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest

from tinyslim import trials
from tinyslim.trials import WorkerLostError, run_trials


class Losing(Executor):
    """Runs everything at once, in this thread, except that some calls find their worker lost."""

    def __init__(self, *lost: int):
        self.lost, self.count, self.shut = set(lost), 0, False

    def submit(self, function, *arguments):
        future, self.count = Future(), self.count + 1
        if self.count in self.lost:
            future.set_exception(BrokenExecutor("gone"))
            return future
        try:
            future.set_result(function(*arguments))
        except ValueError as error:
            future.set_exception(error)
        return future

    def shutdown(self, wait=True, *, cancel_futures=False):
        self.shut = True


class Shelf(Executor):
    """Keeps what it is given; its futures are filled, or not, by hand."""

    def __init__(self):
        self.futures = []

    def submit(self, function, *arguments):
        self.futures.append(Future())
        return self.futures[-1]


def square_or_die(number: int, bomb: str) -> int:
    """The square; where the file `bomb` lies, takes it and its own process with it."""
    if os.path.exists(bomb):
        os.unlink(bomb)
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


def numba_threads(_) -> int:
    import numba

    return numba.get_num_threads()


TASKS = [(number, 2) for number in range(7)]
SQUARES = [number**2 for number in range(7)]


def processes() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(2, get_context("spawn"))


@pytest.mark.parametrize("executor", [None, lambda: ThreadPoolExecutor(3), Losing()], ids=["here", "threads", "own"])
def test_results_come_in_the_order_of_the_arguments(executor):
    assert list(run_trials(pow, TASKS, executor)) == SQUARES


@pytest.mark.parametrize("executor", [None, Losing()])
def test_nothing_to_do_is_done(executor):
    assert list(run_trials(pow, [], executor)) == []


def test_arguments_are_read_only_as_far_ahead_as_is_said(monkeypatch):
    monkeypatch.setattr(trials, "AHEAD", 2)
    read = []
    results = run_trials(pow, ((read.append(n) or n, 2) for n in range(7)), Losing())
    assert [next(results), len(read)] == [0, 3]
    assert [next(results), len(read)] == [1, 4]
    assert list(results) == SQUARES[2:]


def test_a_lost_trial_is_run_again():
    executor = Losing(1, 4, 5)
    assert list(run_trials(pow, TASKS, executor)) == SQUARES
    assert executor.count == len(TASKS) + 3
    assert not executor.shut


def test_a_trial_that_is_lost_too_often_ends_all():
    with pytest.raises(WorkerLostError, match="trial 0 lost its worker 4 times"):
        list(run_trials(pow, [(2, 3)], Losing(*range(1, 9))))
    executor = Losing(*range(1, 4))
    assert list(run_trials(pow, [(2, 3)], executor, retries=3)) == [8]


def test_a_trials_own_error_is_raised_in_its_turn_and_not_tried_again():
    executor = Losing()
    results = run_trials(int, [("1",), ("one",), ("3",)], executor)
    assert next(results) == 1
    with pytest.raises(ValueError, match="'one'"):
        next(results)
    assert executor.count == 3


def test_who_stops_leaves_nothing_waiting():
    shelf = Shelf()
    results = run_trials(pow, TASKS, shelf)
    asking = threading.Thread(target=lambda: next(results))
    asking.start()
    while len(shelf.futures) < len(TASKS):
        pass
    shelf.futures[0].set_result(0)
    asking.join()
    results.close()
    assert all(future.cancelled() for future in shelf.futures[1:])


def test_a_pool_that_a_killed_process_has_broken_is_replaced(tmp_path):
    (tmp_path / "bomb").touch()
    # All but one of the trials know nothing of the bomb.
    tasks = [(number, str(tmp_path / ("bomb" if number == 3 else "none"))) for number in range(7)]
    assert list(run_trials(square_or_die, tasks, processes)) == SQUARES
    assert not (tmp_path / "bomb").exists()


def test_a_broken_pool_that_nothing_replaces_is_an_error_that_says_what_would(tmp_path):
    (tmp_path / "bomb").touch()
    with processes() as pool, pytest.raises(WorkerLostError, match="give a function that makes one"):
        list(run_trials(square_or_die, [(1, str(tmp_path / "bomb"))], pool))


def test_kernels_run_on_one_thread_in_a_worker():
    numba = pytest.importorskip("numba")
    before = numba.get_num_threads()
    assert list(run_trials(numba_threads, [(0,)], Losing())) == [1]
    assert numba.get_num_threads() == before


def test_what_is_no_executor_is_refused():
    with pytest.raises(TypeError, match=r"`executor` \(=2\) must be an Executor, or a function that makes one"):
        list(run_trials(pow, TASKS, 2))
