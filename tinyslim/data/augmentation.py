"""Augmentation: the same image a little different each time it is seen, on whole batches of bytes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

# (images, rng) → images: uint8 in and out, (n, h, w, c); all chance comes from `rng`
Augmentation = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def pad_crop_flip(padding: int = 4, flip: bool = True) -> Augmentation:
    """Shift each image at random, and mirror every other one: the standard augmentation of CIFAR.

    Each image is padded with black on all sides and a window of its own size is cut out at a random place (K. He,
    X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", 2015, section 4.2).

    Parameters
    ----------
    padding : int
        Pixels on each side, and so the largest shift.
    flip : bool
        Whether images are mirrored left to right, each with probability 1/2.

    Returns
    -------
    function
        For `Loader(augment=…)`.

    Examples
    --------
    >>> dot = np.zeros((3, 3, 3, 1), np.uint8)
    >>> dot[:, 1, 1] = 255
    >>> shifted = pad_crop_flip(padding=1)(dot, np.random.default_rng(0))
    >>> [np.argwhere(image[..., 0]).tolist() for image in shifted]
    [[[0, 0]], [[1, 2]], [[1, 2]]]
    """
    if padding < 0:
        raise ValueError(f"`padding` (={padding}) must be at least 0")

    def augment(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        n, h, w, c = images.shape
        padded = np.zeros((n, h + 2 * padding, w + 2 * padding, c), np.uint8)
        padded[:, padding : padding + h, padding : padding + w] = images
        top, left = rng.integers(0, 2 * padding + 1, size=(2, n))
        mirrored = rng.random(n) < (0.5 if flip else 0.0)
        # (n, h, w) ← the position of each output pixel in the padded batch
        rows = (np.arange(n) * padded.shape[1] + top)[:, None] + np.arange(h)
        columns = left[:, None] + np.where(mirrored[:, None], np.arange(w)[::-1], np.arange(w))
        positions = rows[:, :, None] * padded.shape[2] + columns[:, None, :]
        return padded.reshape(-1, c).take(positions, axis=0)

    return augment


#: By the names that recipes use; "shift_flip" is the gentle one, for small pictures that fill their frame.
AUGMENTATIONS = {"pad_crop_flip": pad_crop_flip, "shift_flip": partial(pad_crop_flip, padding=2)}
