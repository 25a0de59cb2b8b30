"""The house itself: names, imports, floors, doctests, and the wheel that is built from it."""

from __future__ import annotations

import ast
import doctest
import importlib
import importlib.util
import os
import pkgutil
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

import tinyslim

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run(*command: str, folder: Path = ROOT, **environment: str) -> str:
    """What a command in a fresh process prints; its errors are the test's."""
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# Public names.


def names_in_stub() -> dict[str, str | None]:
    """Where `__init__.pyi` says that each public name comes from, in the form of the lazy table."""
    table: dict[str, str | None] = {}
    for statement in ast.parse((ROOT / "tinyslim" / "__init__.pyi").read_text()).body:
        if isinstance(statement, ast.ImportFrom):
            table |= {alias.asname: statement.module for alias in statement.names if alias.asname == alias.name}
    return table


def test_stub_names_what_the_lazy_table_names():
    assert names_in_stub() == tinyslim._PUBLIC


def test_every_public_name_can_be_had():
    for name in tinyslim.__all__:
        assert getattr(tinyslim, name) is not None
    assert set(tinyslim.__all__) <= set(dir(tinyslim))


def test_unknown_name_is_an_attribute_error_that_tells_what_there_is():
    with pytest.raises(AttributeError, match="no attribute 'Tensors'; it has Compressor, Tensor"):
        tinyslim.Tensors  # noqa: B018


# Rooms.


def modules() -> Iterator[str]:
    """Every module of tinyslim by name, found as files, so that none is imported before its own test."""
    waiting = [("tinyslim.", list(tinyslim.__path__))]
    kernels = importlib.util.find_spec("tinyslim.kernels")
    waiting.append(("tinyslim.kernels.", list(kernels.submodule_search_locations)))
    yield from ("tinyslim", "tinyslim.kernels")
    while waiting:
        prefix, path = waiting.pop()
        for found in pkgutil.iter_modules(path):
            yield prefix + found.name
            if found.ispkg:
                waiting.append((f"{prefix}{found.name}.", [os.path.join(path[0], found.name)]))


MODULES = sorted(set(modules()) - {"tinyslim.__main__"})
PACKAGES = [name for name in MODULES if any(other.startswith(name + ".") for other in MODULES)]


def source_of(module: str) -> Path:
    return Path(importlib.util.find_spec(module).origin)


def names_hidden(init: str, modules: set[str]) -> set[str]:
    """Names that a package's `__init__` takes from its modules and that a module of it bears too."""
    imports = [node for node in ast.walk(ast.parse(init)) if isinstance(node, ast.ImportFrom) and node.module]
    return {alias.asname or alias.name for node in imports for alias in node.names} & modules


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_bears_the_name_of_a_public_function(package):
    inside = {name.removeprefix(package + ".") for name in MODULES if name.startswith(package + ".")}
    assert names_hidden(source_of(package).read_text(), inside) == set()


def test_module_that_bears_the_name_of_a_public_function_is_caught():
    assert names_hidden("from .groups import Group, groups\nfrom . import cutting", {"groups", "cutting"}) == {"groups"}


def test_rooms_import_from_the_floors_below_only():
    assert "0 broken" in run(shutil.which("lint-imports", path=Path(sys.executable).parent), "--no-cache")


# A lesson runs when it is imported, and has tests of its own.
@pytest.mark.parametrize("module", [name for name in MODULES if not name.startswith("tinyslim.tutorials.")])
def test_examples_in_docstrings_give_what_they_say(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, _ = doctest.testmod(importlib.import_module(module), raise_on_error=False)
    assert failed == 0


def test_many_docstrings_hold_examples():
    examples = sum(source_of(module).read_text().count(">>> ") for module in MODULES)
    assert examples > 50


# Importing.

# The process's own time: what else the machine is doing must not fail the test.
IMPORTING = """
import sys, time
from tinyslim import Tensor, nn, models, kernels, quant
print(time.process_time(), *sys.modules)
"""
# Of scipy's parts; Numba itself asks the bare package for its version.
HEAVY = {"torch", "matplotlib", "scipy.stats", "scipy.optimize", "scipy.linalg", "rich", "pydantic", "pooch", "jinja2"}


def test_first_import_takes_a_second_at_most(tmp_path):
    runs = [run(sys.executable, "-c", IMPORTING, folder=tmp_path).split() for _ in range(3)]
    assert median(float(seconds) for seconds, *_ in runs) <= 1


def test_first_import_loads_nothing_heavy(tmp_path):
    _, *loaded = run(sys.executable, "-c", IMPORTING, folder=tmp_path).split()
    assert "tinyslim.quant" in loaded
    assert HEAVY & set(loaded) == set()


# The wheel.

FROM_ELSEWHERE = """
import tinyslim
from tinyslim import data, deploy, graph, kernels, models, train
print(tinyslim.__file__, kernels.__file__, sep="\\n")
train_set, test_set = data.load("fashion_mnist_mini")
print(len(train_set), len(test_set))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder into which a wheel of this checkout was installed; the checkout itself stays as it is."""
    source, wheels, target = (tmp_path_factory.mktemp(name) for name in ("source", "wheels", "target"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("tinyslim", "kernels", "tutorials"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(source))
    (wheel,) = wheels.glob("tinyslim-*.whl")
    run(*pip, "install", "--quiet", "--no-deps", "--target", str(target), str(wheel))
    return target


def test_wheel_works_from_another_folder(installed, tmp_path):
    package, kernels, sizes = run(
        sys.executable, "-c", FROM_ELSEWHERE, folder=tmp_path, PYTHONPATH=str(installed)
    ).splitlines()
    assert Path(package) == installed / "tinyslim" / "__init__.py"
    assert Path(kernels) == installed / "tinyslim" / "kernels" / "__init__.py"
    assert sizes == "10000 10000"


def test_wheel_holds_every_module_and_the_data_beside_it(installed):
    for module in MODULES:
        inside = installed / Path(*module.split("."))
        assert inside.with_suffix(".py").exists() or (inside / "__init__.py").exists(), module
    ours = {path for path in (ROOT / "tinyslim").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    for path in ours:
        assert (installed / path.relative_to(ROOT)).exists(), path
    for path in (ROOT / "tutorials").glob("*.py"):
        assert (installed / "tinyslim" / "tutorials" / path.name).exists(), path
    assert not (installed / "kernels").exists()
