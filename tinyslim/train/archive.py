"""A file of named arrays and a JSON header: an .npz without pickle, written whole or not at all."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib.npyio import NpzFile

from tinyslim.files import write_atomically

_HEADER = "header"

#: What reading a damaged file may raise; RuntimeError where the damage looks like encryption.
_DAMAGE = (ValueError, KeyError, TypeError, OSError, EOFError, RuntimeError, zipfile.BadZipFile)


def write_archive(path, kind: str, header: dict, arrays: dict[str, np.ndarray]) -> None:
    """Write `header` and `arrays` to one file; what lay at `path` stays whole until the new file is.

    Parameters
    ----------
    path : str or Path
    kind : str
        What the file is, so that a checkpoint is not taken for a model.
    header : dict
        JSON values.
    arrays : dict
        Arrays by name.
    """
    contents = pack(kind, header, arrays)
    write_atomically(path, lambda file: file.write(contents))


def pack(kind: str, header: dict, arrays: dict[str, np.ndarray]) -> bytes:
    """What `write_archive` writes."""
    if _HEADER in arrays:
        raise ValueError(f"`arrays` must not hold one named {_HEADER!r}: the header lies there")
    text = json.dumps({"format": f"tinyslim-{kind}", "version": 1, **header}, sort_keys=True)
    file = io.BytesIO()
    np.savez(file, **{_HEADER: np.frombuffer(text.encode(), np.uint8), **arrays})
    return file.getvalue()


def read_archive(path, kind: str) -> tuple[dict, dict[str, np.ndarray]]:
    """The header and the arrays that `write_archive` wrote.

    Raises
    ------
    FileNotFoundError
    ValueError
        When the file is no such archive, or is damaged.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    try:
        file = path.open("rb")
    except OSError as error:
        raise ValueError(f"{str(path)!r} is not a whole tinyslim {kind}: {error}") from None
    with file:
        return unpack(file, kind, repr(str(path)))


def unpack(file: BinaryIO, kind: str, name: str) -> tuple[dict, dict[str, np.ndarray]]:
    """What `read_archive` reads, from an open file; errors call it `name`."""
    try:
        with NpzFile(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        header = dict(json.loads(arrays.pop(_HEADER).tobytes()))
    except _DAMAGE as error:
        raise ValueError(f"{name} is not a whole tinyslim {kind}: {error}") from None
    if header.get("format") != f"tinyslim-{kind}":
        raise ValueError(f"{name} is a {header.get('format')}, expected a tinyslim-{kind}")
    if header.get("version") != 1:
        raise ValueError(f"{name} has version {header.get('version')}, this tinyslim reads version 1")
    return header, arrays


def arrays_under(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays whose names begin with `prefix`, by the rest of their names.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import train
    >>> list(train.arrays_under("model.", {"model.weight": np.zeros(2), "optimizer.velocity": np.zeros(2)}))
    ['weight']
    """
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
