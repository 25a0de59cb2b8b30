"""Weights that ship inside the package, each beside a JSON that says how they were made and what they reach."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tinyslim.nn import Module
from tinyslim.train import load

FOLDER = Path(__file__).parent / "pretrained_weights"


def available() -> list[str]:
    """The names of the weights that ship, as "network-data"."""
    return sorted(path.stem for path in FOLDER.glob("*.npz"))


def facts(name: str, data: str) -> dict:
    """How the weights of network `name` for `data` were made: command, seed, curve, accuracy, digest."""
    path = FOLDER / f"{name}-{data}.json"
    if not path.exists():
        raise ValueError(
            f"`pretrained` (={data!r}): no weights of {name} ship for it; there are {', '.join(available())}"
        )
    return json.loads(path.read_text())


def load_pretrained(model: Module, name: str, data: str) -> None:
    """Give `model` the weights that ship for it, and their normalisation.

    Raises
    ------
    ValueError
        When there are none, they don't fit this model, or the file is not the one that was shipped.
    """
    known, path = facts(name, data), FOLDER / f"{name}-{data}.npz"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != known["sha256"]:
        raise ValueError(f"{path.name} has the sha256 {digest}, expected {known['sha256']}: install tinyslim again")
    trained = load(path)
    model.load_state_dict(trained.state_dict())
    model.preprocessing, model.input_shape = trained.preprocessing, trained.input_shape
    model.eval()
