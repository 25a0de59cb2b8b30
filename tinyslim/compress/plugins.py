"""Strategies of a user's own, from Python files that a config or the command line names."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path


def load_plugin(path) -> None:
    """Run a Python file for the strategies that it registers; a file that was run already is run again if it changed.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    ValueError
        When there is no such file, or it ends in an error of its own.
    """
    path = Path(path).resolve()
    if path.suffix != ".py" or not path.is_file():
        raise ValueError(f"there is no Python file {str(path)!r}")
    # Two files of one name in two folders are two modules.
    name = f"tinyslim_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    digest = file_digest(path)
    if name in sys.modules and sys.modules[name].plugin_digest == digest:
        return
    specification = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(specification)
    module.plugin_digest = digest
    # Annotations are looked up in the module by its name.
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ValueError(f"{str(path)!r} ends in {type(error).__name__}: {error}") from error


def file_digest(path) -> str:
    """What tells one version of a file from another."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]
