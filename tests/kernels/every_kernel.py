"""Every float kernel on small odd shapes, beside its twin; run as a script it prints a digest of all results.

The tests run it in other processes: under each instruction set, without compilation, with bounds checks, on one thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from tinyslim import kernels
from tinyslim.bench.shapes import float_calls
from tinyslim.bench.trial import difference


def cases(dtype: str = "float32") -> Iterator[tuple[str, tuple]]:
    """Name and arguments of each kernel."""
    return float_calls(dtype)


def arrays(result) -> list[np.ndarray]:
    """A kernel's results, one or several, as arrays."""
    return [np.asarray(value) for value in (result if isinstance(result, tuple) else (result,))]


def assert_agree(result, expected) -> None:
    """Shapes and dtypes are equal, integers too, and floats to what their dtype's rounding allows."""
    found = difference(result, expected)
    assert found is None, f"results differ: {found}"


def main() -> None:
    digest = hashlib.sha256()
    for name, arguments in cases():
        result = getattr(kernels, name)(*arguments)
        assert_agree(result, getattr(kernels.reference, name)(*arguments))
        for array in arrays(result):
            digest.update(array.tobytes())
    print(digest.hexdigest())


if __name__ == "__main__":
    main()
