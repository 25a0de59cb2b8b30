"""What a run was asked for, value by value, so that no checkpoint goes on as something else."""

from __future__ import annotations

import json
from pathlib import Path

from .config import Config
from .plugins import file_digest


def flat(config: Config) -> dict:
    """Every value of a config by its dotted key, and the order of the strategies."""
    whole = json.loads(config.as_json())
    values = {f"compressor.{key}": value for key, value in whole["compressor"].items()}
    for name, table in whole["strategies"].items():
        values |= {f"strategies.{name}.{key}": value for key, value in table.items()}
    # What a plugin does is its source, wherever the file lies.
    values["compressor.plugins"] = [
        f"{Path(file).name}, sha256 {file_digest(file)}" for file in config.settings.plugins
    ]
    return values | {"strategies": list(whole["strategies"])}
