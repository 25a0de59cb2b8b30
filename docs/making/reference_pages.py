"""The reference: a page for each room, made of the names that its `__init__` makes public."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from house import ROOT, floors, purpose, source


def public_names(room: str) -> Iterator[tuple[str, str]]:
    """(name, where it is documented) of all that a room's `__init__` offers; read, not imported."""
    package = "kernels" if room == "kernels" else f"tinyslim.{room}"
    body = ast.parse(source(room).read_text(encoding="utf-8")).body
    named = {name: node for node in body for name in _assigned(node)}
    if "_PUBLIC" in named:  # lazily imported, from the modules that the table names
        for name, module in ast.literal_eval(named["_PUBLIC"].value).items():
            yield name, f"{package}.{module}.{name}"
    elif "__all__" in named:
        yield from ((name, f"{package}.{name}") for name in ast.literal_eval(named["__all__"].value))
    else:
        imported = [alias for node in body if isinstance(node, ast.ImportFrom) and node.module for alias in node.names]
        yield from ((alias.name, f"{package}.{alias.name}") for alias in imported)


def _assigned(node: ast.stmt) -> list[str]:
    return [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]


def rooms() -> list[str]:
    """The rooms with public names, lowest floor first."""
    found = [room for floor in reversed(floors()) for room in floor]
    return [room for room in found if (room != "cli" and source(room).name == "__init__.py") or room == "functional"]


def pages() -> Iterator[tuple[str, str]]:
    """(path, Markdown) of every page of the reference but its index."""
    for room in rooms():
        blocks = [f"::: {path}" for _, path in public_names(room)]
        yield f"reference/{room}.md", "\n\n".join([f"# {room}", purpose(room), *blocks])
    yield "reference/command_line.md", _commands()
    yield "reference/recipes.md", _recipes()


def index() -> str:
    """A list of all rooms with their public names."""
    lines = []
    for room in rooms():
        names = ", ".join(f"`{name}`" for name, _ in public_names(room))
        lines.append(f"**[{room}]({room}.md)** — {purpose(room)}\n\n{names}")
    return "\n\n".join(lines)


def _commands() -> str:
    """The help of every command, as argparse has it."""
    import os

    from tinyslim.cli.command_line import _parser

    os.environ["COLUMNS"] = "88"
    parser = _parser()
    commands = parser._subparsers._group_actions[0].choices
    parts = ["# The command line", "`tinyslim COMMAND …`; `python -m tinyslim` is the same."]
    for name, command in commands.items():
        parts.append(f"## {name}\n\n```text\n{command.format_help()}```")
    return "\n\n".join(parts)


def _recipes() -> str:
    """Every recipe that ships, whole."""
    parts = ["# Recipes", "Each is a file; `tinyslim compress NAME` runs it, `tinyslim recipes NAME` prints it."]
    for path in sorted((ROOT / "tinyslim/compress/recipes").glob("*.toml")):
        parts.append(f"## {path.stem}\n\n```toml\n{path.read_text(encoding='utf-8')}```")
    return "\n\n".join(parts)
