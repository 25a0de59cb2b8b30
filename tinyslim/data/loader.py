"""Batches for training, in an order that depends on nothing but seed, epoch and batch number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinyslim import kernels
from tinyslim.data.augmentation import AUGMENTATIONS, Augmentation
from tinyslim.data.dataset import Dataset, Preprocessing


class Loader:
    """Cuts a data set into batches, shuffled anew each epoch, augmented and normalised batch by batch.

    The shuffle of an epoch and the chance of each batch have random generators of their own, derived from (seed, epoch)
    and (seed, epoch, batch). So training that stops in the middle of an epoch goes on from there with the same bits.

    Parameters
    ----------
    dataset : Dataset
    batch_size : int
    seed : int
        At least 0.
    shuffle : bool
    augment : str, function or None
        "pad_crop_flip", what `pad_crop_flip(padding=2)` returns, or a function (images, rng) → images of its own, from
        uint8 (n, h, w, c) to uint8 of the same n.
    preprocessing : (mean, std), optional
        What a trained model carries; without it, the data set's own.
    drop_last : bool
        Leave out the last batch of an epoch if it is smaller than the others.

    Examples
    --------
    >>> numbers = Dataset(np.arange(5, dtype=np.uint8).reshape(5, 1, 1), [0, 1, 0, 1, 0], ["even", "odd"])
    >>> loader = Loader(numbers, batch_size=2, shuffle=False)
    >>> len(loader), [labels.tolist() for images, labels in loader.epoch(0)]
    (3, [[0, 1], [0, 1], [0]])
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        augment: str | Augmentation | None = None,
        preprocessing: Preprocessing | None = None,
        drop_last: bool = False,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"`batch_size` (={batch_size}) must be at least 1")
        if seed < 0:
            raise ValueError(f"`seed` (={seed}) must be at least 0")
        if drop_last and batch_size > len(dataset):
            raise ValueError(
                f"`batch_size` (={batch_size}) must be at most {len(dataset)} to fill one with `drop_last`"
            )
        self.dataset = dataset
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.augment = _augmentation(augment)
        self.preprocessing = preprocessing
        self.drop_last = drop_last

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def epoch(self, number: int, start_batch: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The batches of one epoch: float32 images (n, h, w, c), normalised, and int64 labels (n,).

        Parameters
        ----------
        number : int
            Which epoch, from 0.
        start_batch : int
            Where to begin; the batches are those of the whole epoch from there on.
        """
        if number < 0:
            raise ValueError(f"`number` (={number}) of the epoch must be at least 0")
        if not 0 <= start_batch <= len(self):
            raise ValueError(f"`start_batch` (={start_batch}) must be from 0 to {len(self)}, the batches of an epoch")
        return self._batches(number, start_batch)

    def _batches(self, number: int, start_batch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        own = self.dataset.mean, self.dataset.std
        mean, std = own if self.preprocessing is None else self.preprocessing
        order = self._order(number)
        for batch in range(start_batch, len(self)):
            chosen = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            images = self._augmented(self.dataset.images[chosen], number, batch)
            yield kernels.normalize_images(images, mean, std), self.dataset.labels[chosen]

    def _order(self, number: int) -> np.ndarray:
        if not self.shuffle:
            return np.arange(len(self.dataset))
        return self._generator(number).permutation(len(self.dataset))

    def _augmented(self, images: np.ndarray, number: int, batch: int) -> np.ndarray:
        if self.augment is None:
            return images
        augmented = self.augment(images, self._generator(number, batch))
        if augmented.dtype != np.uint8 or augmented.ndim != 4 or len(augmented) != len(images):
            raise ValueError(
                f"`augment` made {augmented.dtype} {augmented.shape} of uint8 {images.shape}; "
                "it must return as many images, as uint8 (n, h, w, c)"
            )
        return augmented

    def _generator(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))


def _augmentation(augment: str | Augmentation | None) -> Augmentation | None:
    if augment is None or callable(augment):
        return augment
    if augment not in AUGMENTATIONS:
        raise ValueError(f"`augment` (={augment!r}) must be one of {', '.join(AUGMENTATIONS)}, a function or None")
    return AUGMENTATIONS[augment]()
