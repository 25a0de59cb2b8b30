"""A kernel of one's own on trial: loaded from a file, and compared with the reference on every test shape."""

from __future__ import annotations

import copy
import importlib.util
import inspect
import math
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyslim.kernels import reference
from tinyslim.kernels.table import KERNELS

from .comparison import YOURS
from .shapes import Call, float_calls
from .shapes_int8 import integer_calls
from .work import Work

#: Multiples of the dtype's rounding, relative to the largest value, that a sum in another order may be off.
ROUNDINGS = 400


class KernelError(ValueError):
    """A kernel that is wrong, and where."""


def load_kernel(where: str) -> Callable:
    """The function that "file.py:function" names; the file is run for it.

    Raises
    ------
    ValueError
        When there is no such file or no such function in it.
    """
    path, colon, name = where.rpartition(":")
    if not colon or not path.endswith(".py") or not name:
        raise ValueError(f"`kernel` (={where!r}) must be of the form my_file.py:my_function")
    if not Path(path).is_file():
        raise ValueError(f"`kernel` (={where!r}): there is no file {path!r}")
    module_name = f"kernel_in_{Path(path).stem}"
    specification = importlib.util.spec_from_file_location(module_name, path)
    module = importlib.util.module_from_spec(specification)
    # Numba looks a cached function's module up by its name.
    sys.modules[module_name] = module
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"`kernel` (={where!r}): {path} can't be run: {type(error).__name__}: {error}") from error
    found = getattr(module, name, None)
    if not callable(found):
        there = [other for other, value in vars(module).items() if inspect.isroutine(value)]
        raise ValueError(f"`kernel` (={where!r}): {path} has no function {name!r}; it has {', '.join(there) or 'none'}")
    return found


def title_of(function: Callable) -> str:
    """What a user's kernel is called in messages and tables."""
    return YOURS + getattr(function, "__name__", "kernel")


def cases(name: str) -> Iterator[tuple]:
    """The arguments on which the kernel called `name` is compared with its twin: float32, float64 or bytes."""
    if name not in KERNELS:
        raise ValueError(f"no kernel is named {name!r}; there are {', '.join(sorted(KERNELS))}")
    calls: Iterator[Call]
    for calls in (float_calls("float32"), float_calls("float64"), integer_calls()):
        yield from (arguments for called, arguments in calls if called == name)


@dataclass(frozen=True)
class Mismatch:
    """Where a result first differs from what was expected.

    Attributes
    ----------
    what : str
        "shape", "dtype", "type", "number of results" or "value".
    index : tuple of int or None
        Of the first wrong element.
    expected, got : object
    count, total : int
        Wrong elements, and all.
    """

    what: str
    index: tuple[int, ...] | None
    expected: object
    got: object
    count: int = 0
    total: int = 0

    def __str__(self) -> str:
        if self.index is None:
            return f"{self.what}: expected {self.expected}, got {self.got}"
        place = ", ".join(map(str, self.index))
        return (
            f"index ({place}): expected {self.expected!s}, got {self.got!s} "
            f"({self.count:,} of {self.total:,} elements are wrong)"
        )


def difference(got, expected) -> Mismatch | None:
    """How a kernel's result, an array or a tuple of them, differs from its twin's; None if it does not.

    Shapes and dtypes must be equal, integers too, and floats to what their dtype's rounding allows.
    """
    if isinstance(expected, tuple):
        if not isinstance(got, tuple) or len(got) != len(expected):
            found = f"{len(got)}" if isinstance(got, tuple) else f"one {type(got).__name__}"
            return Mismatch("number of results", None, len(expected), found)
        pairs = (difference(mine, twin) for mine, twin in zip(got, expected, strict=True))
        return next((found for found in pairs if found), None)
    if isinstance(expected, float) and isinstance(got, float | np.floating):
        got, expected = np.float64(got), np.float64(expected)
    if not isinstance(got, np.ndarray | np.generic):
        return Mismatch("type", None, "an array", type(got).__name__)
    for what, mine, twin in (("shape", got.shape, np.shape(expected)), ("dtype", got.dtype, expected.dtype)):
        if mine != twin:
            return Mismatch(what, None, twin, mine)
    return _first_wrong(np.asarray(got), np.asarray(expected))


def _first_wrong(got: np.ndarray, expected: np.ndarray) -> Mismatch | None:
    tolerance = ROUNDINGS * np.finfo(expected.dtype).eps if expected.dtype.kind == "f" else 0
    size = np.max(np.abs(expected[np.isfinite(expected)]), initial=1)
    wrong = ~np.isclose(got, expected, rtol=tolerance, atol=tolerance * size, equal_nan=True)
    if not wrong.any():
        return None
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    return Mismatch("value", index, expected[index], got[index], int(wrong.sum()), wrong.size)


@dataclass(frozen=True)
class Passed:
    """A kernel that is right.

    Attributes
    ----------
    cases : int
        On how many cases.
    seconds_per_size : float
        The least that a case took for one of `Work.size`.
    """

    cases: int
    seconds_per_size: float

    def seconds(self, work: Work) -> float:
        """About how long this work will take, at most."""
        return self.seconds_per_size * work.size


def check_kernel(name: str, function: Callable) -> Passed:
    """Compare `function` with the reference of the kernel called `name`, on every case.

    Parameters
    ----------
    name : str
    function : callable
        With the kernel's arguments.

    Returns
    -------
    Passed

    Raises
    ------
    KernelError
        Tells the first case on which it is wrong, raises, or changes its arguments.
    """
    passed, fastest = 0, math.inf
    for arguments in cases(name):
        given, start = copy.deepcopy(arguments), time.perf_counter()
        try:
            got = function(*given)
        except Exception as error:
            fault = f"it raises {type(error).__name__}{_place(error)}: {error}"
        else:
            size = Work(name, "", arguments).size
            fastest = min(fastest, (time.perf_counter() - start) / size if size else math.inf)
            fault = _fault(got, getattr(reference, name)(*arguments), given, arguments)
        if fault:
            raise KernelError(
                f"{title_of(function)} is wrong on case {passed + 1}: {describe(name, arguments)}\n  {fault}"
            )
        passed += 1
    return Passed(passed, fastest)


def _fault(got, expected, given: tuple, arguments: tuple) -> str | None:
    """What is wrong with the result of a call, or with what the call left of its arguments."""
    for mine, original in zip(given, arguments, strict=True):
        if isinstance(original, np.ndarray) and not np.array_equal(mine, original):
            return "it changes its arguments"
    found = difference(got, expected)
    return str(found) if found else None


def _place(error: Exception) -> str:
    """Where in a user's file an error arose."""
    inside = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    return f" in line {inside[-1].lineno} of {Path(inside[-1].filename).name}" if inside else ", when called"


def describe(name: str, arguments: tuple) -> str:
    """A kernel's arguments in one line.

    Examples
    --------
    >>> describe("clip", (np.zeros((2, 3), "f4"), 0.0, 1.0))
    'x float32 (2, 3), low=0.0, high=1.0'
    """
    names = inspect.signature(getattr(reference, name)).parameters
    return ", ".join(
        f"{key} {value.dtype} {value.shape}" if isinstance(value, np.ndarray) else f"{key}={value!r}"
        for key, value in zip(names, arguments, strict=False)
    )
