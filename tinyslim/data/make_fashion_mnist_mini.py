"""Make the data set that ships with tinyslim out of Fashion-MNIST: python -m tinyslim.data.make_fashion_mnist_mini

Of the training images it keeps the first 1,000 of each class, in the order of the file, and it keeps all test images.
The result is the four IDX blocks of Fashion-MNIST itself, only shorter, in one .xz file of 7.5 MB. Sorting by class
saves 1 %, differences of neighbours and pixel-major order make it larger: so the bytes stay as they are.
"""

from __future__ import annotations

import hashlib
import lzma

import numpy as np

from tinyslim.data.catalogue import FASHION_MNIST_MINI, SHIPPED, load
from tinyslim.data.dataset import Dataset
from tinyslim.data.formats import write_idx
from tinyslim.files import write_atomically

IMAGES_PER_CLASS = 1000


def first_of_each_class(labels: np.ndarray, count: int) -> np.ndarray:
    """The indices of the first `count` labels of each class, ascending."""
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:count] for label in np.unique(labels)]))


def contents(train_set: Dataset, test_set: Dataset) -> bytes:
    """Both sets as IDX blocks: images, labels, images, labels."""
    grey = slice(None), slice(None), slice(None), 0
    arrays = (train_set.images[grey], train_set.labels, test_set.images[grey], test_set.labels)
    return b"".join(map(write_idx, arrays))


def main() -> None:
    """Write the file and print what the catalogue must say about it."""
    train_set, test_set = load("fashion_mnist")
    kept = first_of_each_class(train_set.labels, IMAGES_PER_CLASS)
    unpacked = contents(train_set.subset(kept), test_set)
    packed = lzma.compress(unpacked, preset=9 | lzma.PRESET_EXTREME)
    (name,) = FASHION_MNIST_MINI.files
    write_atomically(SHIPPED / name, lambda file: file.write(packed))
    print(f"{SHIPPED / name}: {len(packed):,} bytes, sha256 {hashlib.sha256(packed).hexdigest()}")
    print(f"unpacked: {len(unpacked):,} bytes, sha256 {hashlib.sha256(unpacked).hexdigest()}")


if __name__ == "__main__":
    main()
