"""How a kernel is compiled: one decorator, one cache folder, one choice of instruction set.

Numba names a cached kernel by its signature, the CPU and its own bytecode. It does not notice that a helper in another
file was edited, that another instruction set was forced, or that bounds are checked now. So the folder of the cache is
the digest of all that: a change anywhere in this package begins an empty folder.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_missing = ""
try:
    import llvmlite.binding
    import numba
except (ImportError, OSError) as error:  # a browser, or a Python too new for Numba: the plain twins run instead
    numba, _missing = None, str(error)

#: Whether kernels are machine code. Without it every public kernel runs its plain twin from `reference.py`.
COMPILED = numba is not None and not numba.config.DISABLE_JIT

PATHS = ("plain", "avx2", "avx512")


def why_plain() -> str | None:
    """Why nothing is compiled in this process, or None where kernels are machine code."""
    if numba is None:
        return f"Numba can't be imported ({_missing})"
    return None if COMPILED else "NUMBA_DISABLE_JIT is set"


def best_path() -> str:
    """The widest instruction set of `PATHS` that this CPU has: emitting any other would abort the process."""
    if numba is None:
        return "plain"
    present = {name for name, here in llvmlite.binding.get_host_cpu_features().items() if here}
    if {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512vnni"} <= present:
        return "avx512"
    return "avx2" if {"avx2", "fma"} <= present else "plain"


def choose_path(forced: str | None) -> str:
    """The path to take, where `forced` is the environment's TINYSLIM_ISA or None."""
    best = best_path()
    if not forced:
        return best
    if forced not in PATHS:
        raise ValueError(f"TINYSLIM_ISA is {forced!r}, expected one of {', '.join(PATHS)}")
    if PATHS.index(forced) > PATHS.index(best):
        raise ValueError(f"TINYSLIM_ISA is {forced!r}, but this CPU goes no further than {best!r}")
    return forced


#: The instruction set that kernels are written for in this process.
ISA = choose_path(os.environ.get("TINYSLIM_ISA"))


def cache_folder() -> str:
    """Where compiled kernels of exactly these sources, this path and this bounds checking lie."""
    digest = hashlib.sha256(f"{ISA} {numba.config.BOUNDSCHECK}".encode())
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(source.name.encode() + source.read_bytes())
    base = os.environ.get("NUMBA_CACHE_DIR") or Path.home() / ".cache" / "tinyslim" / "kernels"
    return str(Path(base) / digest.hexdigest()[:16])


_FOLDER = cache_folder() if COMPILED else ""


@contextmanager
def _cached_in(folder: str) -> Iterator[None]:
    """Numba reads the folder from a global when it decorates: a user's own kernels must not land in ours."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = folder
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before


def compiled(**options) -> Callable:
    """`numba.njit(cache=True, nogil=True, error_model="numpy", **options)`, cached as the module says.

    Where nothing can be compiled the function stays plain Python.
    """

    def decorate(function: Callable) -> Callable:
        if not COMPILED:
            return function
        with _cached_in(_FOLDER):
            return numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function)

    return decorate


if COMPILED:
    prange = numba.prange
else:
    prange = range
