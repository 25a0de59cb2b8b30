"""A labelled set of images in memory, as bytes, and the numbers that normalise it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import sqrt

import numpy as np

from tinyslim import kernels

# (mean, std): one float a channel each, of pixels in 0..1
Preprocessing = tuple[Sequence[float], Sequence[float]]


class Dataset:
    """Images as bytes with one label each; they become floats only batch by batch.

    Parameters
    ----------
    images : uint8 array, (n, h, w, c), or (n, h, w) for grey images
    labels : integers, (n,)
        The position of each image's class in `classes`.
    classes : sequence of str
        The names of the classes.

    Attributes
    ----------
    images : uint8 array, (n, h, w, c)
    labels : int64 array, (n,)
    classes : tuple of str
    mean, std : tuple of float, one a channel
        Of all pixels of this set, scaled to 0..1; see `std` for channels that are constant.

    Raises
    ------
    TypeError, ValueError
        If images or labels have another type or shape, there are none, or a label names no class.

    Examples
    --------
    >>> black_and_white = np.repeat(np.array([0, 255], np.uint8), 16).reshape(2, 4, 4)
    >>> pair = Dataset(black_and_white, [0, 1], ["black", "white"])
    >>> pair
    Dataset(2 images of 4×4×1, 2 classes)
    >>> pair.mean, pair.std
    ((0.5,), (0.5,))
    >>> pair.normalized()[:, 0, 0, 0]
    array([-1.,  1.], dtype=float32)
    """

    def __init__(self, images: np.ndarray, labels: Sequence[int] | np.ndarray, classes: Sequence[str]) -> None:
        self.classes = _checked_classes(classes)
        self.images = _checked_images(images)
        self.labels = _checked_labels(labels, len(self.images), len(self.classes))

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.images.shape[1:]))
        return f"Dataset({len(self)} images of {shape}, {len(self.classes)} classes)"

    @cached_property
    def mean(self) -> tuple[float, ...]:
        """The mean of each channel, of pixels in 0..1."""
        return tuple(mean for mean, _ in self._statistics)

    @cached_property
    def std(self) -> tuple[float, ...]:
        """The standard deviation of each channel, of pixels in 0..1; 1 where a channel is constant.

        A constant channel then normalises to zero instead of to NaN.
        """
        return tuple(std for _, std in self._statistics)

    @cached_property
    def _statistics(self) -> list[tuple[float, float]]:
        return [_mean_and_std(histogram) for histogram in _histograms(self.images)]

    def normalized(
        self, index: int | slice | Sequence[int] | np.ndarray = slice(None), preprocessing: Preprocessing | None = None
    ) -> np.ndarray:
        """Images as a model takes them: float32, (n, h, w, c), of mean 0 and deviation 1 a channel.

        Parameters
        ----------
        index : int, slice or array
            Which images; one int gives a batch of one.
        preprocessing : (mean, std), optional
            What a trained model carries; without it, this set's own.
        """
        images = self.images[index]
        if images.ndim == 3:
            images = images[None]
        mean, std = (self.mean, self.std) if preprocessing is None else preprocessing
        return kernels.normalize_images(images, mean, std)

    def subset(self, selection: int | Sequence[int] | np.ndarray, seed: int = 0) -> Dataset:
        """A smaller set of the same classes.

        Parameters
        ----------
        selection : int, or array of indices (or a boolean mask)
            A count draws that many at random, as evenly over the classes as they allow, in the order they have here;
            with one seed, a smaller draw lies inside a larger one. Indices are taken as they stand.
        seed : int
            Of the draw.

        Examples
        --------
        >>> numbers = Dataset(np.zeros((6, 1, 1), np.uint8), [0, 0, 0, 0, 1, 1], ["even", "odd"])
        >>> numbers.subset(4).labels
        array([0, 0, 1, 1])
        >>> numbers.subset([5, 0]).labels
        array([1, 0])
        """
        if isinstance(selection, int | np.integer):
            if not 1 <= selection <= len(self):
                raise ValueError(f"`selection` (={selection}) must be a count from 1 to {len(self)}, or indices")
            selection = _balanced_draw(self.labels, int(selection), seed)
        return Dataset(self.images[selection], self.labels[selection], self.classes)


def _balanced_draw(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Indices of `count` labels: the first image of every class in a random order, then the second of each, …"""
    order = np.random.default_rng(seed).permutation(len(labels))
    by_class = np.argsort(labels[order], kind="stable")
    _, starts, counts = np.unique(labels[order][by_class], return_index=True, return_counts=True)
    turn = np.empty(len(labels), np.int64)
    turn[by_class] = np.arange(len(labels)) - np.repeat(starts, counts)
    return np.sort(order[np.argsort(turn, kind="stable")[:count]])


def _histograms(images: np.ndarray) -> np.ndarray:
    """How often each byte occurs in each channel: int64, (c, 256) ← uint8, (n, h, w, c)."""
    channels = images.shape[-1]
    counts = np.zeros((channels, 256), np.int64)
    # bincount widens its input to eight bytes a pixel, hence a thousand images at a time
    for start in range(0, len(images), 1000):
        for channel in range(channels):
            counts[channel] += np.bincount(images[start : start + 1000, ..., channel].ravel(), minlength=256)
    return counts


def _mean_and_std(histogram: np.ndarray) -> tuple[float, float]:
    """Mean and deviation of bytes/255. Python's integers hold all sums exactly; only the last division rounds."""
    counts = [int(count) for count in histogram]
    number = sum(counts)
    total = sum(value * count for value, count in enumerate(counts))
    squares = sum(value * value * count for value, count in enumerate(counts))
    deviation = sqrt((number * squares - total * total) / (255 * number) ** 2)
    return total / (255 * number), deviation or 1.0


def _checked_classes(classes: Sequence[str]) -> tuple[str, ...]:
    if isinstance(classes, str) or not all(isinstance(name, str) for name in classes):
        raise TypeError(f"`classes` (={classes!r}) must be a sequence of names")
    return tuple(classes)


def _checked_images(images: np.ndarray) -> np.ndarray:
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        found = images.dtype if isinstance(images, np.ndarray) else type(images).__name__
        raise TypeError(f"`images` (of {found}) must be a NumPy array of uint8, pixels from 0 to 255")
    if images.ndim not in (3, 4):
        raise ValueError(f"`images` (of shape {images.shape}) must be (n, h, w, c), or (n, h, w) for grey images")
    if images.size == 0:
        raise ValueError(f"`images` (of shape {images.shape}) must hold at least one image of one pixel")
    return images if images.ndim == 4 else images[..., None]


def _checked_labels(labels: Sequence[int] | np.ndarray, images: int, classes: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"`labels` (of {labels.dtype}) must be integers")
    if labels.shape != (images,):
        raise ValueError(f"`labels` (of shape {labels.shape}) must be ({images},), one for each image")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"`labels` (from {labels.min()} to {labels.max()}) must lie from 0 to {classes - 1}, the classes"
        )
    return labels.astype(np.int64)
