"""A data set as a command line or a file names it."""

from __future__ import annotations

from pathlib import Path

from tinyslim.data.catalogue import load
from tinyslim.data.dataset import Dataset
from tinyslim.data.folder import from_folder


def data_sets(name: str) -> tuple[Dataset, Dataset]:
    """The training set and the test set called `name`, or those below the folder `name`, in train/ and test/."""
    if Path(name).is_dir():
        return from_folder(Path(name, "train")), from_folder(Path(name, "test"))
    return load(name)
