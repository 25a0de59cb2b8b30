from __future__ import annotations

import numpy as np
import pytest

from tinyslim.data import pad_crop_flip

IMAGES = np.random.default_rng(0).integers(1, 256, (200, 9, 7, 3), np.uint8)


def windows(image: np.ndarray, padding: int):
    """All images that padding, cropping and flipping can make of one."""
    h, w, _ = image.shape
    padded = np.pad(image, ((padding, padding), (padding, padding), (0, 0)))
    for top in range(2 * padding + 1):
        for left in range(2 * padding + 1):
            window = padded[top : top + h, left : left + w]
            yield (top, left, False), window
            yield (top, left, True), window[:, ::-1]


@pytest.mark.parametrize("images", [IMAGES, IMAGES[..., :1]])
def test_every_image_is_a_window_of_its_padded_self_and_all_windows_occur(images):
    augmented = pad_crop_flip(padding=1)(images, np.random.default_rng(1))
    assert (augmented.dtype, augmented.shape) == (np.uint8, images.shape)
    seen = set()
    for image, result in zip(images, augmented, strict=True):
        found = [name for name, window in windows(image, padding=1) if np.array_equal(window, result)]
        assert len(found) == 1
        seen.update(found)
    assert len(seen) == 3 * 3 * 2


def test_without_padding_and_flip_nothing_changes():
    np.testing.assert_array_equal(pad_crop_flip(0, flip=False)(IMAGES, np.random.default_rng(1)), IMAGES)


def test_half_of_the_images_are_mirrored():
    augmented = pad_crop_flip(padding=0)(IMAGES, np.random.default_rng(1))
    mirrored = [np.array_equal(result, image[:, ::-1]) for image, result in zip(IMAGES, augmented, strict=True)]
    assert 75 < sum(mirrored) < 125


def test_the_batch_given_is_left_alone():
    before = IMAGES.copy()
    pad_crop_flip()(IMAGES, np.random.default_rng(1))
    np.testing.assert_array_equal(IMAGES, before)


def test_negative_padding_is_refused():
    with pytest.raises(ValueError, match=r"`padding` \(=-1\) must be at least 0"):
        pad_crop_flip(padding=-1)
