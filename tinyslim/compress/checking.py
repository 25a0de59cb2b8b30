"""From a table of a TOML file to checked fields, or to a line for each thing that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError


class ConfigError(ValueError):
    """Everything that is wrong with a config, a line each."""

    def __init__(self, problems: list[str]):
        super().__init__("\n".join(problems))
        self.problems = problems


def checked(where: str, key: str, kind: type[BaseModel], values, given: dict, problems: list[str]):
    """An instance of `kind` with these values, or None and a line in `problems` for each that is wrong.

    Parameters
    ----------
    where, key : str
        The file and the table that the lines name.
    kind : subclass of pydantic's BaseModel
    values
        What the table holds.
    given : dict
        Fields that come from elsewhere: a table can't set them.
    problems : list of str
    """
    if not isinstance(values, dict):
        problems.append(f"{where}: {key} (={values!r}) must be a table")
        return None
    known = ["class", *kind.model_fields] if given else list(kind.model_fields)
    before = len(problems)
    refuse_unknown(where, f"{key}.", values, [field for field in known if field not in given], problems)
    try:
        made = kind(**{field: value for field, value in values.items() if field in kind.model_fields} | given)
    except ValidationError as error:
        problems += [f"{where}: {key}.{_told(fault)}" for fault in error.errors()]
        return None
    return made if len(problems) == before else None


def refuse_unknown(where: str, prefix: str, values: dict, known: Iterable[str], problems: list[str]) -> None:
    """A line in `problems` for each of `values` that is none of the `known` fields."""
    for field in values:
        if field not in known:
            problems.append(f"{where}: {prefix}{field} (={values[field]!r}) is unknown{nearest(str(field), known)}")


def _told(fault: dict) -> str:
    """One of pydantic's errors in our words."""
    field = ".".join(map(str, fault["loc"]))
    if fault["type"] == "missing":
        return f"{field} is missing"
    text = fault["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if fault["type"] == "literal_error" and isinstance(fault["input"], str):
        return f"{field} (={fault['input']!r}) {text}{_suggestion(fault['input'], fault['ctx']['expected'])}"
    return f"{field} (={fault['input']!r}) {text}"


def _suggestion(word: str, expected: str) -> str:
    close = get_close_matches(word, [part for part in expected.split("'") if part.isidentifier()], n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """What to say behind "… is unknown": the nearest known word, or all of them."""
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(known) or 'none'}"
