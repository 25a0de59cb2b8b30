"""A table that gives some layers other bits than the rest, or leaves them in float32.

    [layers."stem"]
    float = true

    [layers."blocks.*.pointwise"]
    weight_bits = 4

A name is that of a layer, of a module that holds layers, or a pattern (``*`` for anything, ``?`` for one letter,
``[6-9]`` for one of some); where several fit, the later entry wins, key by key.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from tinyslim.graph import Graph, Node
from tinyslim.naming import nearest

from .layers import WEIGHT_TYPES
from .placement import COMPUTING, WEIGHTED


@dataclass(frozen=True)
class LayerBits:
    """How one layer is quantised.

    Attributes
    ----------
    weight_bits : int
    activation_bits : int
        Of what the layer gives.
    weight_quantize_type : str
        "channel_wise_abs_max" or "abs_max".
    float : bool
        Whether the layer stays in float32: its weight is not rounded, and it reads and gives real numbers.
    """

    weight_bits: int = 8
    activation_bits: int = 8
    weight_quantize_type: str = "channel_wise_abs_max"
    float: bool = False


#: The keys of an entry that need a weight.
OF_WEIGHTS = ("weight_bits", "weight_quantize_type", "float")


def _bits(value) -> bool:
    return not isinstance(value, bool) and value in range(2, 9)


#: What each key of an entry may hold: a check, and what to say where it fails.
CHECKS = {
    "weight_bits": (_bits, "a whole number from 2 to 8"),
    "activation_bits": (_bits, "a whole number from 2 to 8"),
    "weight_quantize_type": (
        lambda value: isinstance(value, str) and value in WEIGHT_TYPES,
        f"one of {', '.join(WEIGHT_TYPES)}",
    ),
    "float": (lambda value: isinstance(value, bool), "true or false"),
}


def read_table(source) -> dict[str, dict]:
    """The entries of a table by name or pattern, each checked.

    Parameters
    ----------
    source : str, Path, dict or None
        A path to a TOML file, or what such a file holds: ``{"layers": {"stem": {"float": True}}}``. None is an empty
        table.

    Raises
    ------
    FileNotFoundError, TypeError
    ValueError
        With a line for each mistake.

    Examples
    --------
    >>> read_table({"layers": {"stem": {"weight_bit": 4}}})
    Traceback (most recent call last):
    ValueError: `table`: layers."stem" has no key 'weight_bit'; did you mean 'weight_bits'?
    """
    contents, where = _load(source)
    entries = contents.get("layers", {})
    problems = [f"{where}: there is no {key!r}{nearest(key, ['layers'])}" for key in contents if key != "layers"]
    if not isinstance(entries, dict):
        problems.append(f'{where}: layers (={entries!r}) must be tables, [layers."NAME"]')
        entries = {}
    for name, entry in entries.items():
        problems += [f'{where}: layers."{name}" {problem}' for problem in _mistakes(entry)]
    if problems:
        raise ValueError("\n".join(problems))
    return entries


def _load(source) -> tuple[dict, str]:
    """What a table holds, and what messages call it."""
    if source is None:
        return {}, ""
    if isinstance(source, dict):
        return source, "`table`"
    if not isinstance(source, str | Path):
        raise TypeError(f"`table` (={source!r}) must be a path to a TOML file, or a dict")
    if not Path(source).exists():
        raise FileNotFoundError(f"`table` (={str(source)!r}): there is no such file")
    try:
        return tomllib.loads(Path(source).read_text(encoding="utf-8")), str(source)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None


def _mistakes(entry) -> list[str]:
    if not isinstance(entry, dict):
        return [f"(={entry!r}) must be a table"]
    problems = [f"has no key {key!r}{nearest(key, CHECKS)}" for key in entry if key not in CHECKS]
    for key, value in entry.items():
        if key in CHECKS and not CHECKS[key][0](value):
            problems.append(f"has {key} (={value!r}), expected {CHECKS[key][1]}")
    if entry.get("float") is True and {"weight_bits", "weight_quantize_type"} & set(entry):
        problems.append("is to stay in float32, and says how its weight is rounded, too")
    return problems


def bits_of_layers(graph: Graph, table, default: LayerBits) -> dict[str, LayerBits]:
    """How each computing node of a network is quantised, by its layer's path, or by its name if it has no layer.

    Parameters
    ----------
    graph : Graph
        Of the plain network.
    table
        See `read_table`.
    default : LayerBits
        What holds where the table says nothing.

    Raises
    ------
    ValueError
        With a line for each entry that fits no layer, or asks a layer without a weight to round it.
    """
    places = {name_of(node): node for node in graph if node.op in COMPUTING}
    bits, problems = dict.fromkeys(places, default), []
    for pattern, entry in read_table(table).items():
        fitting = [name for name in places if _fits(pattern, name)]
        weighted = [name for name in fitting if places[name].op in WEIGHTED]
        of_weights = [key for key in entry if key in OF_WEIGHTS]
        if not fitting:
            problems.append(f'`table`: layers."{pattern}" fits no layer{nearest(pattern, _names(places))}')
        elif of_weights and not weighted:
            problems.append(f'`table`: layers."{pattern}" has no weight, so {of_weights[0]} means nothing there')
        for name in fitting:
            known = entry if name in weighted else {key: entry[key] for key in entry if key not in OF_WEIGHTS}
            bits[name] = replace(bits[name], **known)
    if problems:
        raise ValueError("\n".join(problems))
    return bits


def name_of(node: Node) -> str:
    """What the table calls a node."""
    return node.module or node.name


def _fits(pattern: str, name: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def _names(places: dict) -> list[str]:
    """All names that would fit something: layers, and the modules that hold them."""
    folders = {name.rsplit(".", count)[0] for name in places for count in range(1, name.count(".") + 1)}
    return [*places, *sorted(folders - set(places))]
