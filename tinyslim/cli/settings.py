"""``--set key=value``: values as TOML has them."""

from __future__ import annotations

import argparse
import tomllib


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
