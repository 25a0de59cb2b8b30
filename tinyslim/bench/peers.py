"""PyTorch and ONNX Runtime, as far as they are installed, loaded so that they run as they would alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

NAMES = {"torch": "PyTorch", "onnxruntime": "ONNX Runtime (onnxruntime and onnx)"}


@dataclass(frozen=True)
class Peers:
    """The peers that take part.

    Attributes
    ----------
    torch, onnxruntime : module or None
    threads : int
        That each of them may use.
    left_out : tuple of str
        Names of those that were asked for and are not installed.
    """

    torch: ModuleType | None = None
    onnxruntime: ModuleType | None = None
    threads: int = 2
    left_out: tuple[str, ...] = ()

    @property
    def notes(self) -> list[str]:
        """A line for each peer that is missing."""
        return [f"{name} is not installed and left out: pip install 'tinyslim[bench]'" for name in self.left_out]


def load_peers(wanted: bool, threads: int = 2) -> Peers:
    """Import the peers; do so before the kernels, which shorten for the process how long OpenMP's threads spin.

    On two cores that made no difference to PyTorch's medians, but it is theirs to choose.

    Parameters
    ----------
    wanted : bool
        Otherwise nobody takes part.
    threads : int
    """
    if not wanted:
        return Peers(threads=threads)
    # Graphs for ONNX Runtime are written with `onnx`, so it takes part only where both are.
    needs = {"torch": ("torch",), "onnxruntime": ("onnxruntime", "onnx")}
    found = {name: import_module(name) for name, parts in needs.items() if all(map(find_spec, parts))}
    if "torch" in found:
        found["torch"].set_num_threads(threads)
    return Peers(**found, threads=threads, left_out=tuple(NAMES[name] for name in NAMES if name not in found))


def openblas_notes(threads: int) -> list[str]:
    """Warnings where NumPy's OpenBLAS runs other code than this processor's best, or on other threads than all."""
    pinned, count = os.environ.get("OPENBLAS_CORETYPE"), os.environ.get("OPENBLAS_NUM_THREADS", os.cpu_count())
    notes = [f"OPENBLAS_CORETYPE is {pinned!r}: NumPy's products may be slower than they could be"] if pinned else []
    if str(count) != str(threads):
        notes.append(f"NumPy's OpenBLAS runs on {count} threads: set OPENBLAS_NUM_THREADS={threads}")
    return notes
