"""Peak memory of a training step, each side in a fresh process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_mib() -> float:
    """The most memory that this process has held so far, MiB.

    Read from the system's own record of this program alone: what `resource.getrusage` tells survives an exec, and
    would count the parent too.
    """
    return int(re.search(r"VmHWM:\s+(\d+)", STATUS.read_text())[1]) / 1024


def training_peak_mib(contender: str, threads: int, steps: int = 5, **settings) -> float:
    """MiB that a fresh process holds at most while it trains for a few steps.

    Parameters
    ----------
    contender : str
        A key of `training.STEPS`.
    threads, steps : int
    **settings
        Those of `training.train_step`.
    """
    code = (
        "from tinyslim.bench.memory import peak_mib\n"
        "from tinyslim.bench.training import STEPS\n"
        f"step = STEPS[{contender!r}]({threads}, **{settings!r})\n"
        f"for _ in range({steps}): step()\n"
        "print(peak_mib())"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout)
