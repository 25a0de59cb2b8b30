"""From a recipe, a TOML file or a dict to settings and strategies, or to a list of everything that is wrong with it."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from . import recipes
from .checking import ConfigError, checked, nearest, refuse_unknown
from .order import order_problems
from .plugins import load_plugin
from .settings import CompressorSettings
from .strategy import STRATEGIES, Strategy


@dataclass(frozen=True)
class Config:
    """A checked config.

    Attributes
    ----------
    name : str
        The recipe's, the file's, or "custom" for a dict.
    settings : CompressorSettings
    strategies : tuple of Strategy
        In the order of the config.
    """

    name: str
    settings: CompressorSettings
    strategies: tuple[Strategy, ...]

    def as_dict(self) -> dict:
        """The config again, every default written out."""
        strategies = {
            strategy.name: {
                "class": type(strategy).__name__,
                **strategy.model_dump(exclude={"name"}, exclude_none=True),
            }
            for strategy in self.strategies
        }
        return {"compressor": self.settings.model_dump(), "strategies": strategies}

    def as_json(self) -> str:
        """The same as a file shows it: functions that only Python can hand over by their names."""
        return json.dumps(self.as_dict(), indent=1, default=lambda value: f"{value.__module__}.{value.__qualname__}")


def read_config(source, overrides: Iterable[tuple[str, object]] = ()) -> Config:
    """Read and check a config.

    Parameters
    ----------
    source : str, Path, dict or Config
        A recipe's name, a path to a TOML (or JSON) file, or a dict of the same shape. The Python files that it names in
        ``compressor.plugins`` are run.
    overrides
        Dotted keys and values that take the place of the source's: ``("strategies.prune.target_ratio", 0.6)``.

    Raises
    ------
    ConfigError
        With a line for each unknown key and its nearest right one, each wrong type or range, each impossible order.
    FileNotFoundError

    Examples
    --------
    >>> from tinyslim import compress
    >>> compress.read_config({"compressor": {"epochs": 2, "batchsize": 32}})
    Traceback (most recent call last):
    tinyslim.compress.checking.ConfigError: config: compressor.batchsize (=32) is unknown; did you mean batch_size?
    """
    name, where, table = _load(source)
    problems: list[str] = []
    table = _overridden(table, overrides, problems)
    refuse_unknown(where, "", table, ("compressor", "strategies"), problems)
    _load_plugins(where, _folder(source), table.get("compressor"), problems)
    settings = checked(where, "compressor", CompressorSettings, table.get("compressor", {}), {}, problems)
    strategies = tuple(_strategies(where, table.get("strategies", {}), problems))
    if settings is not None:
        problems += [f"{where}: {problem}" for problem in order_problems(strategies, settings.epochs)]
    if problems:
        raise ConfigError(problems)
    return Config(name, settings, strategies)


def _load(source) -> tuple[str, str, dict]:
    """A config's name, what error lines call it, and its tables."""
    if isinstance(source, Config):
        return source.name, "config", source.as_dict()
    if isinstance(source, dict):
        return "custom", "config", source
    if not isinstance(source, str | Path):
        raise TypeError(f"`config` (={source!r}) must be a recipe's name, a path to a TOML file, or a dict")
    path = Path(source)
    if isinstance(source, str) and not path.suffix and len(path.parts) == 1:
        if source not in recipes.names():
            raise ConfigError([f"`config` (={source!r}) is no recipe{nearest(source, recipes.names())}"])
        path = recipes.path(source)
    if not path.exists():
        raise FileNotFoundError(f"there is no config file {str(path)!r}")
    text = path.read_text(encoding="utf-8")
    try:
        table = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:
        raise ConfigError([f"{path}: {error}"]) from None
    if not isinstance(table, dict):
        raise ConfigError([f"{path}: must hold the tables compressor and strategies"])
    return path.stem, str(source) if path.suffix != ".toml" or path.parent != recipes.FOLDER else f"{path.name}", table


def _folder(source) -> Path:
    """What paths in a config are relative to."""
    return Path(source).parent if isinstance(source, str | Path) else Path()


def _load_plugins(where: str, folder: Path, table, problems: list[str]) -> None:
    """Run the Python files that a config names, and let it name them absolutely."""
    files = table.get("plugins") if isinstance(table, dict) else None
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
        return  # None, or wrong: the table's own check tells that
    for file in files:
        try:
            load_plugin(folder / file)
        except ValueError as error:
            problems.append(f"{where}: compressor.plugins (={file!r}): {error}")
    table["plugins"] = [str((folder / file).resolve()) for file in files]


def _overridden(table: dict, overrides: Iterable[tuple[str, object]], problems: list[str]) -> dict:
    """A copy of `table` in which `overrides` hold."""
    table = copy.deepcopy(table)
    for key, value in overrides:
        *folders, last = key.split(".")
        inner = table
        for depth, folder in enumerate(folders):
            if depth == 0 and folder == "compressor":
                inner.setdefault(folder, {})
            if not isinstance(inner.get(folder), dict):
                problems.append(f"--set {key}: there is no {'.'.join(folders[: depth + 1])}{nearest(folder, inner)}")
                break
            inner = inner[folder]
        else:
            if not folders:
                problems.append(f"--set {key}: must be compressor.KEY or strategies.NAME.KEY")
                continue
            inner[last] = value
    return table


def _strategies(where: str, tables, problems: list[str]) -> Iterable[Strategy]:
    if not isinstance(tables, dict):
        problems.append(f"{where}: strategies (={tables!r}) must be tables, [strategies.NAME]")
        return
    for name, table in tables.items():
        key = f"strategies.{name}"
        if not str(name).replace("-", "_").isidentifier():
            problems.append(f"{where}: {key}: a strategy's name must be made of letters, digits, - and _")
            continue
        if not isinstance(table, dict):
            problems.append(f"{where}: {key} (={table!r}) must be a table")
            continue
        values = dict(table)
        kind = values.pop("class", None)
        if kind is None:
            problems.append(f"{where}: {key}.class is missing; there are {', '.join(sorted(STRATEGIES))}")
        elif not isinstance(kind, str) or kind not in STRATEGIES:
            problems.append(f"{where}: {key}.class (={kind!r}) is unknown{nearest(str(kind), sorted(STRATEGIES))}")
        else:
            strategy = checked(where, key, STRATEGIES[kind], values, {"name": name}, problems)
            if strategy is not None:
                yield strategy
