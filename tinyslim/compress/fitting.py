"""Whether a model and data sets belong together."""

from __future__ import annotations

import numpy as np

from tinyslim.data import Dataset
from tinyslim.graph import trace
from tinyslim.nn import Module


def check_fit(model: Module, example: np.ndarray, train_set: Dataset, test_set: Dataset) -> None:
    """Find out now what would come to light in the first epoch or after the last."""
    if train_set.classes != test_set.classes:
        raise ValueError(f"`test_data` has the classes {test_set.classes}, `train_data` {train_set.classes}")
    if train_set.images.shape[1:] != test_set.images.shape[1:]:
        raise ValueError(f"`test_data` is {test_set!r}, `train_data` {train_set!r}: their images must be of one size")
    try:
        shape = trace(model, example).output.shape
    except ValueError as error:
        raise ValueError(f"`model` can't take the images of `train_data`, {train_set!r}: {error}") from error
    if shape != (1, len(train_set.classes)):
        raise ValueError(
            f"`model` gives an image logits of shape {shape[1:]}; `train_data` has {len(train_set.classes)} classes"
        )
