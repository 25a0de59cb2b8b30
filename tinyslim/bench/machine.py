"""What the numbers were measured on: the processor, the path that kernels take, threads and versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

#: What the `bench` extra installs.
PEERS = ("torch", "onnxruntime", "onnx")
#: The processor's features that decide which path is taken, as LLVM names them.
FEATURES = ("fma", "avx2", "avxvnni", "avx512f", "avx512bw", "avx512vnni", "neon", "dotprod")


def machine_facts() -> dict:
    """All that `tinyslim info` prints and that the JSON of a comparison holds.

    Returns
    -------
    dict
        Strings, numbers, lists and None, for JSON. None as a version means that it is not installed.
    """
    from tinyslim import __version__
    from tinyslim.kernels import jit, threads

    return {
        "tinyslim": __version__,
        "python": platform.python_version(),
        **{name: installed_version(name) for name in ("numpy", "numba", "llvmlite")},
        "llvm": _llvm_version(jit.numba),
        "cpu": processor(),
        "cores": os.cpu_count(),
        "features": _features(jit.numba),
        "path": jit.ISA if jit.COMPILED else "plain twins",
        "why_plain": jit.why_plain(),
        "threading_layer": _threading_layer() if jit.COMPILED else None,
        "threads": threads.thread_count(),
        "cache": jit.cache_folder() if jit.COMPILED else None,
        "peers": {name: installed_version(name) for name in PEERS},
    }


def installed_version(name: str) -> str | None:
    """The version of an installed distribution, without importing it."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def processor() -> str:
    """The processor's name, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _features(numba) -> list[str]:
    if numba is None:
        return []
    from llvmlite.binding import get_host_cpu_features

    present = get_host_cpu_features()
    return [name for name in FEATURES if present.get(name)]


def _llvm_version(numba) -> str | None:
    if numba is None:
        return None
    from llvmlite.binding import llvm_version_info

    return ".".join(map(str, llvm_version_info))


def _threading_layer() -> str:
    """The layer that Numba's threads run on; asking for their number starts them."""
    import numba

    numba.get_num_threads()
    return numba.threading_layer()


def set_threads(count: int) -> None:
    """Let our kernels run on `count` threads."""
    from tinyslim.kernels import jit

    if not jit.COMPILED:
        return
    import numba

    most = numba.config.NUMBA_NUM_THREADS
    if not 1 <= count <= most:
        raise ValueError(f"`threads` (={count}) must be from 1 to {most}, as Numba was started with")
    numba.set_num_threads(count)
