"""What a run was asked for, value by value, so that no checkpoint goes on as something else."""

from __future__ import annotations

import json

from .config import Config


def flat(config: Config) -> dict:
    """Every value of a config by its dotted key, and the order of the strategies."""
    whole = json.loads(config.as_json())
    values = {f"compressor.{key}": value for key, value in whole["compressor"].items()}
    for name, table in whole["strategies"].items():
        values |= {f"strategies.{name}.{key}": value for key, value in table.items()}
    return values | {"strategies": list(whole["strategies"])}
