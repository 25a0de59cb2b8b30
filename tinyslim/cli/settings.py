"""``--set key=value``: values as TOML has them, and networks of the zoo made from such settings."""

from __future__ import annotations

import argparse
import inspect
import tomllib
from difflib import get_close_matches


def key_and_value(text: str) -> tuple[str, object]:
    """The two sides of ``key=value``; for `argparse`.

    The value is read as TOML (``0.5``, ``true``, ``[1, 2]``, ``"text"``); what is no TOML is text, so that quotes,
    which the shell would eat, may be left out.

    Examples
    --------
    >>> key_and_value("width=0.25"), key_and_value("compressor.schedule=cosine")
    (('width', 0.25), ('compressor.schedule', 'cosine'))
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form key=value")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def add_set(parser: argparse.ArgumentParser, what: str) -> None:
    """Let `parser` take ``--set key=value`` any number of times."""
    parser.add_argument(
        "--set", dest="settings", type=key_and_value, action="append", default=[], metavar="KEY=VALUE", help=what
    )


def network(name: str, settings: dict):
    """The network of the zoo called `name`, made with `settings`.

    Raises
    ------
    ValueError
        Names the nearest network or setting where there is none of that name.
    """
    from tinyslim import models

    if name not in models.__all__:
        raise ValueError(f"no network is called {name!r}{nearest(name, models.__all__)}")
    make = getattr(models, name)
    known = list(inspect.signature(make).parameters)
    for key in settings:
        if key not in known:
            raise ValueError(f"{name} has no setting {key!r}{nearest(key, known)}")
    return make(**settings)


def nearest(name: str, known) -> str:
    """What to say behind "there is no …": the nearest known name, or all of them."""
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"
