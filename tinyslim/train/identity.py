"""What tells one network and one data set from another, so that nothing goes on, or is taken, as something else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np

from tinyslim.data import Dataset
from tinyslim.graph import to_json
from tinyslim.nn import Module

from .saving import canonical


def model_digest(model: Module, example: np.ndarray) -> str:
    """A number that tells one network, weights included, from another, by what it computes.

    Which module returned a value is no part of it: networks and their records outlive the names of classes' methods.
    """
    running = canonical(model, example)
    described = to_json(running)
    for node in described["nodes"]:
        node.pop("returned_by", None)
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for name, array in running.state_dict().items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def data_digest(dataset: Dataset) -> str:
    """What a data set is, in a few words and a number.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import data, train
    >>> pixels = data.Dataset(np.zeros((4, 8, 8, 1), np.uint8), [0, 1, 0, 1], ["even", "odd"])
    >>> print(train.data_digest(pixels))
    Dataset(4 images of 8×8×1, 2 classes), sha256 96b5e2dc412e7e79
    """
    digest = hashlib.sha256(np.ascontiguousarray(dataset.images).data)
    digest.update(np.ascontiguousarray(dataset.labels).data)
    return f"{dataset!r}, sha256 {digest.hexdigest()[:16]}"


def differences(was: Mapping[str, object], now: Mapping[str, object]) -> str:
    """What differs between two descriptions of a run, name by name; empty where nothing does.

    Examples
    --------
    >>> from tinyslim import train
    >>> print(train.differences({"lr": 0.1, "seed": 0}, {"lr": 0.2, "seed": 0}))
    lr was 0.1, now 0.2
    """
    return "; ".join(
        f"{name} was {was.get(name)!r}, now {now.get(name)!r}"
        for name in sorted(was.keys() | now.keys())
        if was.get(name) != now.get(name)
    )
