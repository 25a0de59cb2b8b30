"""Where a Program's time goes, op by op."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyslim.single_thread import on_one_thread


@dataclass(frozen=True)
class OpTime:
    """Milliseconds that one op adds to a run.

    Attributes
    ----------
    name, kind : str
        Those of the op.
    milliseconds : float
    """

    name: str
    kind: str
    milliseconds: float


def latency_by_op(program, x: np.ndarray, repeats: int = 50) -> list[OpTime]:
    """How much later a run ends with each op than without it and all that follow.

    The compiled walk has no clock inside, so its beginnings are timed: the first op alone, the first two, and so on,
    all by turns, so that whatever else the machine does hits them alike. An op is given the difference of two best
    times, none below 0; what two ops share, such as a line that is handed on in the cache, comes under the later one.
    All run on one thread: how many are worth waking depends on the work, and differs from one beginning to the next.

    Parameters
    ----------
    program : Program
    x : array (n, h, w, c)
        float32 or uint8, as `Program.run` takes it.
    repeats : int
        Runs of each beginning that are timed, at least 1.

    Examples
    --------
    >>> import numpy as np, tinyslim
    >>> from tinyslim import deploy, nn
    >>> images = np.zeros((1, 8, 8, 1), np.float32)
    >>> program = tinyslim.freeze(nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(144, 2)), images)
    >>> [op.kind for op in deploy.latency_by_op(program, images, repeats=3)]
    ['conv2d', 'flatten', 'linear']
    """
    if repeats < 1:
        raise ValueError(f"`repeats` (={repeats}) must be at least 1")
    beginnings = [program.beginning(count, x.dtype) for count in range(1, len(program.ops) + 1)]
    seconds = np.empty((repeats, len(beginnings)))
    with on_one_thread():
        for run in beginnings:
            run(x)
        for row in seconds:
            row[:] = [_seconds(run, x) for run in beginnings]
    ends = np.maximum.accumulate(1e3 * seconds.min(axis=0))
    added = np.diff(ends, prepend=0).tolist()
    return [OpTime(op.name, op.kind, share) for op, share in zip(program.ops, added, strict=True)]


def _seconds(run: Callable[[np.ndarray], object], x: np.ndarray) -> float:
    start = time.perf_counter()
    run(x)
    return time.perf_counter() - start
