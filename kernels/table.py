"""Which function runs when a kernel's name is called: ours, its plain twin, or one that a user swapped in."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from types import MappingProxyType

from . import jit, reference, threads
from .deferred import written

#: Every kernel by name, as the public function that looks here before it runs.
KERNELS: dict[str, Callable] = {}

_swapped: ContextVar[Mapping[str, Callable]] = ContextVar("swapped kernels", default=MappingProxyType({}))


def kernel(function: Callable | None = None, *, formulas: bool = False) -> Callable:
    """Register a public kernel: a call runs what `use` put in its place, else `function`, or its twin if that can't.

    Deferred arguments are written out first, unless `function` says with `formulas` that it takes them as they are.
    """
    if function is None:
        return lambda function: kernel(function, formulas=formulas)
    name = function.__name__
    twin = getattr(reference, name)

    @wraps(function)
    def call(*arguments, **keywords):
        chosen = _swapped.get().get(name) or _own(function, twin)
        if not formulas or chosen is not function:
            arguments = [written(value) for value in arguments]
            keywords = {key: written(value) for key, value in keywords.items()}
        return chosen(*arguments, **keywords)

    KERNELS[name] = call
    return call


class _Told:
    """Whether this process has heard that its kernels are slow."""

    plain = False


def _own(function: Callable, twin: Callable) -> Callable:
    """The compiled function, or its twin where nothing is compiled; the first one in a process says so."""
    if jit.COMPILED:
        return twin if threads.lost() else function
    if not _Told.plain:
        _Told.plain = True
        warnings.warn(f"kernels run as plain NumPy, slowly: {jit.why_plain()}", RuntimeWarning, stacklevel=3)
    return twin


def is_swapped() -> bool:
    """Whether kernels other than our compiled ones run here: a Program then goes op by op through this table."""
    return bool(_swapped.get()) or not jit.COMPILED or threads.lost()


@contextmanager
def use(**swapped: Callable) -> Iterator[None]:
    """Swap kernels under the whole engine, for as long as the `with` block runs and in this thread alone.

    Parameters
    ----------
    **swapped
        Functions by the name of the kernel that each replaces, taking that kernel's arguments.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import kernels
    >>> def noisy(a, b):
    ...     print("gemm", a.shape, b.shape)
    ...     return a @ b
    >>> with kernels.use(gemm=noisy):
    ...     _ = kernels.gemm(np.ones((2, 3), "f4"), np.ones((3, 4), "f4"))
    gemm (2, 3) (3, 4)
    """
    for name, function in swapped.items():
        if name not in KERNELS:
            raise ValueError(f"no kernel is named {name!r}; there are {', '.join(sorted(KERNELS))}")
        if not callable(function):
            raise TypeError(f"the kernel {name} (={function!r}) must be a function")
    token = _swapped.set(MappingProxyType({**_swapped.get(), **swapped}))
    try:
        yield
    finally:
        _swapped.reset(token)


def use_reference():
    """Run every kernel as its plain twin, so that a debugger can step into the loops; a context manager as `use` is."""
    return use(**{name: getattr(reference, name) for name in KERNELS})
