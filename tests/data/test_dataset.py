from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tinyslim import kernels
from tinyslim.data import Dataset

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 4, 5, 3), np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2, 0])
CLASSES = ["cat", "dog", "frog"]


def test_grey_images_get_one_channel():
    grey = Dataset(IMAGES[..., 0], LABELS, CLASSES)
    assert grey.images.shape == (7, 4, 5, 1)
    assert len(grey) == 7
    assert repr(grey) == "Dataset(7 images of 4×5×1, 3 classes)"


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64, list])
def test_labels_of_any_integer_type_become_int64(dtype):
    labels = LABELS.tolist() if dtype is list else LABELS.astype(dtype)
    found = Dataset(IMAGES, labels, CLASSES).labels
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, LABELS)


@given(arrays.arrays(np.uint8, st.tuples(*[st.integers(1, 6)] * 3, st.integers(1, 3))))
def test_mean_and_std_are_those_of_the_pixels(images):
    dataset = Dataset(images, [0] * len(images), ["all"])
    pixels = images.astype(np.float64) / 255
    np.testing.assert_allclose(dataset.mean, pixels.mean(axis=(0, 1, 2)), atol=1e-15)
    constant = (images == images[:1, :1, :1]).all(axis=(0, 1, 2))
    np.testing.assert_allclose(dataset.std, np.where(constant, 1, pixels.std(axis=(0, 1, 2))), atol=1e-15)


def test_statistics_count_every_image_of_a_set_longer_than_one_block():
    images = np.zeros((2500, 1, 1), np.uint8)
    images[::2] = 255
    dataset = Dataset(images, np.zeros(2500, int), ["all"])
    assert (dataset.mean, dataset.std) == ((0.5,), (0.5,))
    assert isinstance(dataset.mean[0], float)


def test_normalized_images_have_mean_0_and_deviation_1():
    x = Dataset(IMAGES, LABELS, CLASSES).normalized()
    assert (x.dtype, x.shape) == (np.float32, IMAGES.shape)
    np.testing.assert_allclose(x.mean(axis=(0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(x.std(axis=(0, 1, 2)), 1, atol=1e-6)


def test_a_models_preprocessing_wins_over_the_sets_own():
    mean, std = (0.5, 0.25, 0.125), (0.5, 0.5, 2.0)
    x = Dataset(IMAGES, LABELS, CLASSES).normalized(slice(2, 4), preprocessing=(mean, std))
    np.testing.assert_allclose(x, (IMAGES[2:4] / 255 - mean) / std, atol=1e-6)


@pytest.mark.parametrize("index", [3, slice(3, 4), [3], np.array([3]), np.arange(7) == 3])
def test_every_index_gives_a_batch(index):
    dataset = Dataset(IMAGES, LABELS, CLASSES)
    np.testing.assert_array_equal(dataset.normalized(index), dataset.normalized()[3:4])


def test_normalising_goes_through_the_kernel_that_a_user_may_swap():
    def zeros(images, mean, std):
        return np.zeros(images.shape, np.float32)

    with kernels.use(normalize_images=zeros):
        assert not Dataset(IMAGES, LABELS, CLASSES).normalized().any()


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.data())
def test_a_drawn_subset_is_as_balanced_as_the_classes_allow(labels, data):
    count = data.draw(st.integers(1, len(labels)))
    images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1)
    drawn = Dataset(images, labels, list("abcd")).subset(count, seed=data.draw(st.integers(0, 5)))
    chosen = drawn.images.ravel()
    assert len(drawn) == count
    assert (np.diff(chosen.astype(int)) > 0).all()
    np.testing.assert_array_equal(drawn.labels, np.array(labels)[chosen])
    available, taken = np.bincount(labels, minlength=4), np.bincount(drawn.labels, minlength=4)
    # a class may lag behind another by more than one image only if it has no more
    assert (taken[taken < available] >= taken.max() - 1).all()


def test_draws_depend_on_the_seed_alone_and_nest():
    numbered = Dataset(np.arange(200, dtype=np.uint8).reshape(-1, 1, 1), np.arange(200) % 3, CLASSES)
    small, large = numbered.subset(20, seed=4), numbered.subset(50, seed=4)
    np.testing.assert_array_equal(small.images, numbered.subset(20, seed=4).images)
    assert set(small.images.ravel()) < set(large.images.ravel())
    assert set(small.images.ravel()) != set(numbered.subset(20, seed=5).images.ravel())


def test_indices_and_masks_are_taken_as_they_stand():
    dataset = Dataset(IMAGES, LABELS, CLASSES)
    np.testing.assert_array_equal(dataset.subset([5, 0, 5]).images, IMAGES[[5, 0, 5]])
    assert dataset.subset(LABELS == 1).labels.tolist() == [1, 1]
    assert dataset.subset(LABELS == 1).classes == tuple(CLASSES)


@pytest.mark.parametrize("count", [0, -1, 8])
def test_a_count_that_cannot_be_drawn_is_refused(count):
    with pytest.raises(ValueError, match=rf"`selection` \(={count}\) must be a count from 1 to 7"):
        Dataset(IMAGES, LABELS, CLASSES).subset(count)


@pytest.mark.parametrize(
    ("images", "labels", "classes", "error", "message"),
    [
        (IMAGES / 255, LABELS, CLASSES, TypeError, r"`images` \(of float64\) must be a NumPy array of uint8"),
        (IMAGES.tolist(), LABELS, CLASSES, TypeError, r"`images` \(of list\) must be a NumPy array of uint8"),
        (IMAGES[0, 0], LABELS, CLASSES, ValueError, r"`images` \(of shape \(5, 3\)\) must be \(n, h, w, c\)"),
        (IMAGES[:0], LABELS[:0], CLASSES, ValueError, r"\(0, 4, 5, 3\)\) must hold at least one image"),
        (IMAGES, LABELS / 1, CLASSES, TypeError, r"`labels` \(of float64\) must be integers"),
        (IMAGES, LABELS[:6], CLASSES, ValueError, r"`labels` \(of shape \(6,\)\) must be \(7,\)"),
        (IMAGES, LABELS[:, None], CLASSES, ValueError, r"`labels` \(of shape \(7, 1\)\) must be \(7,\)"),
        (IMAGES, LABELS, CLASSES[:2], ValueError, r"`labels` \(from 0 to 2\) must lie from 0 to 1"),
        (IMAGES, LABELS - 1, CLASSES, ValueError, r"`labels` \(from -1 to 1\) must lie from 0 to 2"),
        (IMAGES, LABELS, "cat", TypeError, r"`classes` \(='cat'\) must be a sequence of names"),
        (IMAGES, LABELS, [0, 1, 2], TypeError, r"`classes` \(=\[0, 1, 2\]\) must be a sequence of names"),
    ],
)
def test_wrong_arguments_are_named(images, labels, classes, error, message):
    with pytest.raises(error, match=message):
        Dataset(images, labels, classes)
