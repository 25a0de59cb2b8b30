"""The hot loops of the engine's kernels, from the machine code that was compiled for this CPU."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tinyslim.kernels.table import KERNELS

from .assembly import HotLoop, hot_loop
from .peak import need_compiler
from .trial import cases


@dataclass(frozen=True)
class Assembly:
    """The hot loop of a kernel.

    Attributes
    ----------
    kernel : str
    loop : HotLoop
    """

    kernel: str
    loop: HotLoop

    def print(self, console=None) -> None:
        """The instructions, those of arithmetic in bold, those that spill in red, and the verdict."""
        from rich.console import Console
        from rich.text import Text

        console = console or Console()
        console.print(f"The hot loop of {self.kernel}, in {self.loop.function}:\n", highlight=False)
        for instruction in self.loop.instructions:
            style = "red" if instruction.spills else "bold" if instruction.arithmetic else "dim"
            console.print(Text(f"    {instruction.name:<14} {instruction.operands}", style))
        console.print(f"\n{self.loop.verdict}", highlight=False)


def assembly(kernel: str) -> Assembly:
    """Find the hot loop of a kernel, as it is compiled for float32 or bytes.

    Parameters
    ----------
    kernel : str
        The name of a public kernel, such as ``"gemm_int8"``.
    """
    if kernel not in KERNELS:
        raise ValueError(f"no kernel is named {kernel!r}; there are {', '.join(sorted(KERNELS))}")
    need_compiler()
    for arguments in cases(kernel):  # all of them: which compiled functions run depends on the arguments
        KERNELS[kernel](*arguments)
    loops = [loop for function in compiled_functions(KERNELS[kernel]) if (loop := loop_of(function)) is not None]
    if not loops:
        raise ValueError(f"the kernel {kernel!r} has no compiled loop")
    return Assembly(kernel, max(loops, key=lambda loop: loop.count("arithmetic")))


def compiled_functions(function: Callable) -> list:
    """The compiled functions that a Python function calls, itself or by way of others of its package.

    What compiled functions call is part of their own machine code.
    """
    found, seen = {}, set()

    def visit(function: Callable) -> None:
        function = inspect.unwrap(function)
        if function in seen:
            return
        seen.add(function)
        for value in _named_in(function):
            if hasattr(value, "py_func"):
                found[value] = None
            elif inspect.isfunction(value) and value.__module__.startswith("tinyslim."):
                visit(value)

    visit(function)
    return list(found)


def _named_in(function: Callable) -> Iterator:
    """The global objects whose names a function's code holds."""
    names = function.__code__.co_names
    return (function.__globals__[name] for name in names if name in function.__globals__)


def loop_of(function) -> HotLoop | None:
    """The hot loop of a compiled function, of those of its signatures that have no float64.

    The compiler's text is not kept in Numba's cache, so the function is compiled once more.
    """
    import numba

    signatures = [signature for signature in function.signatures if "float64" not in str(signature)]
    if not signatures:
        return None
    options = {name: value for name, value in function.targetoptions.items() if name != "nopython"}
    fresh = numba.njit(**options)(function.py_func)
    loops = []
    for signature in signatures:
        fresh.compile(signature)
        loops.append(
            hot_loop(fresh.inspect_asm(signature), f"{function.py_func.__module__}.{function.py_func.__name__}")
        )
    return max(filter(None, loops), key=lambda loop: loop.count("arithmetic"), default=None)
