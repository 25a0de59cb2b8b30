"""The kernels' tests share one script of cases; other processes run it too."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).with_name("every_kernel.py")


@pytest.fixture(scope="session")
def every_kernel() -> ModuleType:
    """The module `every_kernel`: its `cases`, `arrays` and `assert_agree`."""
    spec = importlib.util.spec_from_file_location("every_kernel", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
