"""What tells one run from another, so that no checkpoint goes on as something else."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from tinyslim.data import Dataset
from tinyslim.graph import to_json
from tinyslim.nn import Module

from .checkpoint import canonical
from .config import Config


def model_digest(model: Module, example: np.ndarray) -> str:
    """A number that tells one network, weights included, from another."""
    running = canonical(model, example)
    digest = hashlib.sha256(json.dumps(to_json(running), sort_keys=True).encode())
    for name, array in running.state_dict().items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def data_digest(dataset: Dataset) -> str:
    """What a data set is, in a few words and a number."""
    digest = hashlib.sha256(np.ascontiguousarray(dataset.images).data)
    digest.update(np.ascontiguousarray(dataset.labels).data)
    return f"{dataset!r}, sha256 {digest.hexdigest()[:16]}"


def flat(config: Config) -> dict:
    """Every value of a config by its dotted key, and the order of the strategies."""
    whole = json.loads(config.as_json())
    values = {f"compressor.{key}": value for key, value in whole["compressor"].items()}
    for name, table in whole["strategies"].items():
        values |= {f"strategies.{name}.{key}": value for key, value in table.items()}
    return values | {"strategies": list(whole["strategies"])}
