"""The file of one row and one seed: written once, whole, and believed only as it was written."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import version
from pathlib import Path

from tinyslim.bench.machine import processor
from tinyslim.files import write_text_atomically
from tinyslim.train import differences

VERSION = 1
#: What every record holds, beside its sha256.
KEYS = (
    "version", "data", "table", "row", "description", "seed", "settings", "config",
    "metrics", "history", "model", "seconds", "cpu", "versions",
)  # fmt: skip


def record_path(out, data: str, table: str, row: str, seed: int) -> Path:
    """Where the record of a row and a seed lies below the folder `out`.

    >>> record_path("results", "cifar10", "prune", "auto", 2).as_posix()
    'results/cifar10/prune/auto-seed2.json'
    """
    return Path(out, data, table, f"{row}-seed{seed}.json")


def facts_of_machine() -> dict:
    """The processor and the versions that numbers were measured with; nothing that tells whose machine it was."""
    from tinyslim import __version__

    versions = {"tinyslim": __version__, "python": platform.python_version()}
    return {"cpu": processor(), "versions": versions | {name: version(name) for name in ("numpy", "numba", "scipy")}}


def write_record(path, record: dict) -> None:
    """Write a record, with a digest of all that it holds."""
    missing = [key for key in KEYS if key not in record]
    if missing:
        raise ValueError(f"`record` lacks {', '.join(missing)}")
    text = json.dumps(record | {"sha256": _digest(record)}, indent=1, allow_nan=False, ensure_ascii=False)
    write_text_atomically(path, text + "\n")


def read_record(path) -> dict:
    """The record in the file `path`.

    Raises
    ------
    ValueError
        When the file is no record, or not the one that was written: no number in it may be changed by hand.
    """
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is no record: {error}") from None
    if not isinstance(record, dict) or record.get("version") != VERSION or any(key not in record for key in KEYS):
        raise ValueError(f"{str(path)!r} is no record of version {VERSION}")
    written = record.pop("sha256", None)
    if written != _digest(record):
        raise ValueError(f"{str(path)!r} was changed after it was written: remove it, and its row is measured again")
    return record


def kept_record(path, settings: dict) -> dict | None:
    """The record in `path` if it was measured with `settings`; None if there is no file.

    Raises
    ------
    ValueError
        When it was measured with others: names what differs.
    """
    if not Path(path).exists():
        return None
    record = read_record(path)
    other = differences(record["settings"], settings)
    if other:
        raise ValueError(f"{str(path)!r} was measured with other settings: {other}; name another folder with `out`")
    return record


def read_table(folder) -> list[dict]:
    """Every record in a folder."""
    return [read_record(path) for path in sorted(Path(folder).glob("*-seed*.json"))]


def settings_digest(settings: dict) -> str:
    """A short name for settings, for folders."""
    return _digest(settings)[:12]


def _digest(record: dict) -> str:
    text = json.dumps(record, sort_keys=True, allow_nan=False, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
