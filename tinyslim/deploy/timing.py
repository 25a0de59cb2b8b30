"""How long a Program takes."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from tinyslim import kernels


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one `run`: the median, the quartiles, and how many threads and repeats stand behind them."""

    median: float
    lower_quartile: float
    upper_quartile: float
    threads: int
    repeats: int

    def __str__(self) -> str:
        spread = f"{self.lower_quartile:.3f} … {self.upper_quartile:.3f}"
        return f"{self.median:.3f} ms ({spread}), {self.threads} threads, {self.repeats} runs"


def latency(program, x: np.ndarray, repeats: int = 100) -> Latency:
    """Time `program.run(x)` after a warm-up that compiles and fills caches.

    Parameters
    ----------
    program : Program
    x : array (n, h, w, c)
        As `Program.run` takes it; one image for what users call latency.
    repeats : int
        Runs that are timed, at least 1.

    Examples
    --------
    >>> import numpy as np, tinyslim
    >>> from tinyslim import deploy, nn
    >>> net = nn.Sequential(nn.GlobalAvgPool2d(), nn.Linear(1, 2))
    >>> x = np.zeros((1, 8, 8, 1), np.float32)
    >>> isinstance(deploy.latency(tinyslim.freeze(net, x), x, repeats=3), deploy.Latency)
    True
    """
    if repeats < 1:
        raise ValueError(f"`repeats` (={repeats}) must be at least 1")
    for _ in range(max(3, repeats // 10)):
        program.run(x)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        program.run(x)
        times.append(time.perf_counter() - start)
    lower, median, upper = np.percentile(np.array(times) * 1e3, [25, 50, 75]).tolist()
    return Latency(median, lower, upper, kernels.threads.thread_count(), repeats)
