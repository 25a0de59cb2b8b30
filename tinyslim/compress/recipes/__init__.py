"""The configs that ship, TOML files by name."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The recipes' names."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def path(name: str) -> Path:
    """The file of a recipe."""
    return FOLDER / f"{name}.toml"


def purpose(name: str) -> str:
    """The first comment of a recipe: what it is for."""
    return path(name).read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
