"""The file formats of the data sets: from packed files to bytes, and from bytes to images and labels.

Nothing is written to disk on the way, and no more is unpacked than a data set holds: a file that would unpack into
more is refused before it fills the memory.
"""

from __future__ import annotations

import gzip
import lzma
import tarfile
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tinyslim.data.dataset import Dataset

CIFAR_BATCHES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")


def unpack_gzip(paths: Sequence[Path], limit: int) -> bytes:
    """What several .gz files hold, one after the other, of `limit` bytes at most."""
    contents = b""
    for path in paths:
        with gzip.open(path) as file:
            contents += _read(file, limit - len(contents), path)
    return contents


def unpack_lzma(paths: Sequence[Path], limit: int) -> bytes:
    """What one .xz file holds, of `limit` bytes at most."""
    (path,) = paths
    with lzma.open(path) as file:
        return _read(file, limit, path)


def unpack_cifar(paths: Sequence[Path], limit: int) -> bytes:
    """The records of CIFAR-10's .tar.gz: of the five training batches, then of the test batch."""
    (path,) = paths
    batches = {}
    with tarfile.open(path, "r|gz") as archive:
        for member in archive:
            name = member.name.rpartition("/")[2]
            if name in CIFAR_BATCHES and member.isfile():
                batches[name] = _read(archive.extractfile(member), limit // len(CIFAR_BATCHES), path)
    missing = [name for name in CIFAR_BATCHES if name not in batches]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}")
    return b"".join(batches[name] for name in CIFAR_BATCHES)


def _read(file: BinaryIO, limit: int, path: Path) -> bytes:
    contents = file.read(limit + 1)
    if len(contents) > limit:
        raise ValueError(f"{path} unpacks into more than the data set's own bytes")
    return contents


def parse_idx(contents: bytes, classes: Sequence[str]) -> tuple[Dataset, Dataset]:
    """Two sets from four IDX blocks, one after the other: training images, their labels, test images, their labels.

    IDX is the format of MNIST: two zero bytes, a code for the type (8: bytes), the number of axes, each axis as a
    big-endian int32, then the values (Y. LeCun, C. Cortes, C. Burges, "The MNIST database").
    """
    blocks, start = [], 0
    while start < len(contents):
        header = contents[start : start + 4]
        if len(header) < 4 or header[:3] != b"\0\0\x08":
            raise ValueError(f"byte {start} must start an IDX block of bytes, 000008…, but reads {header.hex()}")
        axes = header[3]
        shape = tuple(np.frombuffer(contents, ">i4", axes, start + 4).tolist())
        start += 4 + 4 * axes
        blocks.append(np.frombuffer(contents, np.uint8, prod(shape), start).reshape(shape).copy())
        start += prod(shape)
    train_images, train_labels, test_images, test_labels = blocks
    return Dataset(train_images, train_labels, classes), Dataset(test_images, test_labels, classes)


def write_idx(array: np.ndarray) -> bytes:
    """A uint8 array as an IDX block, which `parse_idx` reads."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.astype(np.uint8).tobytes()


def parse_cifar(contents: bytes, classes: Sequence[str]) -> tuple[Dataset, Dataset]:
    """Two sets from CIFAR-10's records, of which the last sixth are the test images.

    A record is the label's byte, then a red, a green and a blue plane of 32×32 bytes (A. Krizhevsky, "Learning
    multiple layers of features from tiny images", 2009).
    """
    records = np.frombuffer(contents, np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    # (n, h, w, c) ← (n, c, h, w)
    images = np.ascontiguousarray(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    train = len(records) * 5 // 6
    return (
        Dataset(images[:train], records[:train, 0], classes),
        Dataset(images[train:], records[train:, 0], classes),
    )
