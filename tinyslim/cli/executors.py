"""``--workers N`` and ``--dask ADDRESS``: where a command's trials run."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager


def add_executor(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take one of the two."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, metavar="N", help="run N trials at a time, in processes of their own")
    where.add_argument(
        "--dask", metavar="ADDRESS", help="run trials on this Dask cluster (pip install 'tinyslim[dask]')"
    )


@contextmanager
def chosen_executor(arguments: argparse.Namespace) -> Iterator:
    """What `run_trials` takes: None for this process, a function that makes a pool, or a cluster's executor."""
    if arguments.workers is not None and arguments.workers < 1:
        raise ValueError(f"`--workers` (={arguments.workers}) must be at least 1")
    if arguments.dask is not None:
        with _client(arguments.dask) as client:
            yield client.get_executor()
    else:
        yield None if arguments.workers is None else lambda: _processes(arguments.workers)


def _processes(count: int):
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context
    from signal import SIG_DFL, SIGINT, signal

    # Not forked: threads of kernels, and of OpenMP, don't survive that. Ctrl-C ends a worker at once: as an exception
    # it would only end the trial at hand, and the worker would begin the next.
    return ProcessPoolExecutor(count, get_context("spawn"), initializer=signal, initargs=(SIGINT, SIG_DFL))


def _client(address: str):
    try:
        from distributed import Client
    except ImportError:
        raise ValueError("`--dask` needs Dask: pip install 'tinyslim[dask]'") from None
    return Client(address)
