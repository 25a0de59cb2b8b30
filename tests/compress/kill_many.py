"""Kills compressions with kill −9, resumes them, and holds what they end in against a run that nobody stopped.

Half of the kills come at a random moment, half at a random write: just before or just after a file gets its name.

    python tests/compress/kill_many.py                               20 kills in every recipe that ships
    python tests/compress/kill_many.py quant auto_prune --kills 4    of these two
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

#: A recipe's own numbers, as far as it has them, in the place of these it would take minutes.
QUICK = {"max_iter_number": 6, "delta_rate": 0.4, "recalibration_batches": 1, "eval_rate": 0.5}
EPOCHS = 3
#: Pictures and the page show milliseconds.
SHOWN = (".png", ".html")
CLOCKS = ("seconds", "latency_ms")


# The process that is killed.


def quick(recipe: str) -> dict:
    """A recipe's config, shrunk to a few epochs and trials; the order of what happens stays."""
    from tinyslim.compress import read_config

    config = read_config(recipe).as_dict()
    share = EPOCHS / config["compressor"]["epochs"]
    config["compressor"] |= {"epochs": EPOCHS, "batch_size": 16}
    for table in config["strategies"].values():
        table |= {key: value for key, value in QUICK.items() if key in table}
        table["start_epoch"] = min(round(table["start_epoch"] * share), EPOCHS - 1)
        if "end_epoch" in table:
            table["end_epoch"] = max(round(table["end_epoch"] * share), table["start_epoch"] + 1)
    return config


def die_at_write(number: int, renamed: bool) -> list[str]:
    """Let this process be killed at the `number`-th file that gets its name, before or after it did.

    Returns the list of files that have got theirs, which grows.
    """
    rename, done = os.replace, []

    def replace(source, target) -> None:
        if len(done) + 1 == number and not renamed:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(source, target)
        done.append(str(target))
        if len(done) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = replace
    return done


def compress(recipe: str, images: int, out: str, number: int, renamed: bool) -> None:
    """Compress the shipped MobileNet on a few images, going on where a killed process stopped."""
    from tinyslim import Compressor, data, models

    model = models.mobilenet_v1(num_classes=10, width=0.25, in_channels=1, stem_stride=1, pretrained="fashion_mnist")
    train_set, test_set = (part.subset(images) for part in data.load("fashion_mnist_mini"))
    compressor = Compressor(model, train_set, test_set, quick(recipe), out=out, resume=True)
    written = die_at_write(number, renamed)
    print("begin")
    compressor.run()
    print(f"writes {len(written)}")


# The process that kills.


@dataclass
class Ended:
    """How a process ended: killed or not, after how many seconds of work, and what it had printed."""

    killed: bool
    seconds: float
    lines: list[str]


class Killer:
    """Starts, kills and compares runs of one recipe; all follows from the seed, but for what a clock decides."""

    def __init__(self, recipe: str, images: int, folder: Path, seed: int):
        self.recipe, self.images, self.folder = recipe, images, folder
        self.rng = np.random.default_rng(seed)
        whole = self.run(folder / "unbroken")
        self.seconds, self.writes = whole.seconds, int(whole.lines[-1].removeprefix("writes "))
        self.expected = results(folder / "unbroken")
        self.moments, self.compared = Counter(), 0

    def run(self, out: Path, after: float | None = None, write: int = 0, renamed: bool = False) -> Ended:
        """Let one process go on with the run in `out`; kill it after so many seconds, or at a write."""
        words = [sys.executable, "-u", __file__, self.recipe, "--images", str(self.images)]
        words += ["--run", str(out), "--write", str(write), *(["--renamed"] if renamed else [])]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            # What comes before is Python's start: nothing of the run's.
            process.stdout.readline()
            start = time.perf_counter()
            try:
                printed, _ = process.communicate(timeout=after)
            except subprocess.TimeoutExpired:
                process.kill()
                printed, _ = process.communicate()
            seconds = time.perf_counter() - start
        if process.returncode not in (0, -signal.SIGKILL):
            raise RuntimeError(f"{self.recipe}: a process ended with exit code {process.returncode}")
        return Ended(process.returncode != 0, seconds, printed.splitlines())

    def kill(self, kills: int) -> None:
        """Kill so many processes; whenever a run comes to its end between two kills, compare it and begin another."""
        out = self.folder / "killed"
        while self.moments.total() < kills:
            if self.rng.random() < 0.5:
                ended = self.run(out, after=self.rng.uniform(0, self.seconds))
                kind = "a moment"
            else:
                renamed = bool(self.rng.random() < 0.5)
                ended = self.run(out, write=int(self.rng.integers(1, self.writes // 2 + 1)), renamed=renamed)
                kind = "a write"
            if finished(out):
                self._compare(out)
            elif ended.killed:
                self._count(kind, ended)
        if out.exists():
            self.run(out)
            self._compare(out)

    def _count(self, kind: str, ended: Ended) -> None:
        last = ended.lines[-1] if ended.lines else "the start"
        self.moments[f"{kind} after {' '.join(last.split()[:2])!r}"] += 1

    def _compare(self, out: Path) -> None:
        if told := unequal(self.expected, results(out)):
            raise SystemExit(f"{self.recipe}: {'; '.join(told)} differ from the unbroken run's, see {out}")
        self.compared += 1
        shutil.rmtree(out)


def finished(folder: Path) -> bool:
    """Whether a run came to its end there: then a kill came too late, and the next run would begin another folder."""
    return (folder / "metrics.json").exists() and not (folder / "checkpoint.npz").exists()


def results(folder: Path) -> dict[str, object]:
    """All that a run leaves, by name, without pictures, the page and what a clock says."""
    read: dict[str, object] = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix not in SHOWN}
    return read | {"metrics.json": timeless(json.loads((folder / "metrics.json").read_text()))}


def timeless(values):
    """Metrics without what a clock says."""
    if isinstance(values, dict):
        return {key: timeless(value) for key, value in values.items() if key not in CLOCKS}
    return [timeless(value) for value in values] if isinstance(values, list) else values


def unequal(expected: dict, found: dict) -> list[str]:
    """The names of the files that differ, or are there on one side only."""
    return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


def main() -> None:
    """Kill in every recipe that was asked for; exit code 1 at the first difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help="(default: all that ship)")
    parser.add_argument("--kills", type=int, default=20, help="in each recipe (default: %(default)s)")
    parser.add_argument("--images", type=int, default=200, help="of each set (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: %(default)s)")
    parser.add_argument("--run", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--write", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--renamed", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        compress(arguments.recipes[0], arguments.images, arguments.run, arguments.write, arguments.renamed)
        return
    from tinyslim.compress import recipes

    for recipe in arguments.recipes or recipes.names():
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            killer = Killer(recipe, arguments.images, Path(folder), arguments.seed)
            killer.kill(arguments.kills)
            print(
                f"{recipe}: {killer.moments.total()} kills, {killer.compared} resumed runs end as the unbroken one "
                f"({killer.seconds:.1f} s, {killer.writes} writes); {time.perf_counter() - start:.0f} s",
                flush=True,
            )
            for moment, count in sorted(killer.moments.items()):
                print(f"  {count:2} at {moment}", flush=True)


if __name__ == "__main__":
    main()
