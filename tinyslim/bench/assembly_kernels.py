"""The hot loops of the engine's kernels, from the machine code that was compiled for this CPU."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from tinyslim.kernels.table import KERNELS

from .assembly_loops import Loop, hottest, innermost_loops
from .peak import need_compiler
from .trial import cases


@dataclass(frozen=True)
class Assembly:
    """The loops of a kernel's machine code.

    Attributes
    ----------
    kernel : str
    loop : Loop
        The hot one.
    others : list of Loop
        The hottest of each other function in the same machine code, if it has vector arithmetic.
    """

    kernel: str
    loop: Loop
    others: list[Loop]

    def print(self, console=None) -> None:
        """The instructions, arithmetic in bold and spills in red, the verdict, and where else to look."""
        from rich.console import Console
        from rich.text import Text

        console = console or Console()
        console.print(f"The hot loop of {self.kernel}, in {self.loop.function}:\n", highlight=False)
        for instruction in self.loop.instructions:
            style = "red" if instruction.spills else "bold" if instruction.arithmetic else "dim"
            console.print(Text(f"    {instruction.name:<14} {instruction.operands}", style))
        console.print(f"\n{self.loop.verdict}", highlight=False)
        for other in self.others:
            console.print(f"Also there: {other.function}. {other.summary}", style="dim", highlight=False)


def assembly(kernel: str, within: str = "") -> Assembly:
    """Find the hot loop of a kernel, as it is compiled for float32 or bytes.

    Parameters
    ----------
    kernel : str
        The name of a public kernel, such as ``"gemm_int8"``.
    within : str
        Look only into compiled functions with this in their dotted names, since one compiled function may serve several
        kernels. By default those are preferred that have a word of the kernel's name in theirs.
    """
    if kernel not in KERNELS:
        raise ValueError(f"no kernel is named {kernel!r}; there are {', '.join(sorted(KERNELS))}")
    need_compiler()
    calls = [arguments for arguments in cases(kernel) if typical(arguments)]
    for arguments in calls:
        KERNELS[kernel](*arguments)  # compiles
    with recorded() as called:
        for arguments in calls:
            KERNELS[kernel](*arguments)
    loops = [loop for function, types in called for loop in loops_of(function, types)]
    hot = hottest([loop for loop in loops if within in loop.function]) if within else likely(kernel, loops)
    if hot is None:
        there = ", ".join(sorted({loop.function for loop in loops}))
        if not there:
            raise ValueError(f"the kernel {kernel!r} runs no compiled loop")
        raise ValueError(f"`within` (={within!r}) is in the name of no function with a loop; there are {there}")
    names = sorted({loop.function for loop in loops} - {hot.function})
    others = [hottest([loop for loop in loops if loop.function == name]) for name in names]
    return Assembly(kernel, hot, [loop for loop in others if loop.count("arithmetic")])


def likely(kernel: str, loops: list[Loop]) -> Loop | None:
    """The hot loop of the functions named after what is special about a kernel; of all if there are none.

    All kernels of bytes, for one, are a single compiled function that asks each layer for its kind.
    """
    common = {"conv2d", "int8", "input", "weight", "gradient"}
    for word in (word.removesuffix("2d") for word in kernel.split("_") if word not in common):
        hot = hottest([loop for loop in loops if word in loop.function])
        if hot is not None and hot.count("arithmetic"):
            return hot
    return hottest(loops)


def typical(arguments: tuple) -> bool:
    """Whether no array is empty or of float64."""
    arrays = [value for value in arguments if isinstance(value, np.ndarray)]
    return all(array.size and array.dtype != np.float64 for array in arrays)


@contextmanager
def recorded() -> Iterator[dict]:
    """The compiled functions that Python code calls while the `with` block runs, with their types: keys of a dict.

    What compiled functions call is part of their own machine code. The block must not compile anything.
    """
    import numba

    modules = [module for name, module in sys.modules.items() if name.startswith("tinyslim.kernels.")]
    places = [
        (module, name, value) for module in modules for name, value in vars(module).items() if hasattr(value, "py_func")
    ]
    called: dict = {}

    def record(function: Callable) -> Callable:
        def call(*arguments):
            called[function, tuple(map(numba.typeof, arguments))] = None
            return function(*arguments)

        return call

    try:
        for module, name, value in places:
            setattr(module, name, record(value))
        yield called
    finally:
        for module, name, value in places:
            setattr(module, name, value)


def loops_of(function, types: tuple) -> list[Loop]:
    """The innermost loops of a compiled function, for arguments of these types.

    The compiler's text is not kept in Numba's cache, so the function is compiled once more.
    """
    import numba

    options = {name: value for name, value in function.targetoptions.items() if name != "nopython"}
    fresh = numba.njit(**options)(function.py_func)
    fresh.compile(types)
    loops = innermost_loops(fresh.inspect_asm(fresh.signatures[0]))
    own = f"{function.__module__}.{function.__name__}"  # a prange's body has a made-up name
    return [loop if loop.function.startswith("tinyslim") else replace(loop, function=own) for loop in loops]
