from __future__ import annotations

import numpy as np
import pytest

from tinyslim.data import Dataset, Loader, pad_crop_flip

SET = Dataset(
    np.random.default_rng(0).integers(0, 256, (23, 8, 8, 2), np.uint8), np.arange(23), list(map(str, range(23)))
)


def assert_same_batches(some, others):
    some, others = list(some), list(others)
    assert len(some) == len(others)
    for (images, labels), (other_images, other_labels) in zip(some, others, strict=True):
        np.testing.assert_array_equal(images, other_images)
        np.testing.assert_array_equal(labels, other_labels)


def test_an_epoch_sees_every_image_once_with_its_label():
    batches = list(Loader(SET, 5).epoch(0))
    images, labels = map(np.concatenate, zip(*batches, strict=True))
    assert (images.dtype, labels.dtype) == (np.float32, np.int64)
    assert sorted(labels) == list(range(23))
    np.testing.assert_array_equal(images, SET.normalized(labels))


@pytest.mark.parametrize(("drop_last", "sizes"), [(False, [5, 5, 5, 5, 3]), (True, [5, 5, 5, 5])])
def test_len_is_the_number_of_batches(drop_last, sizes):
    loader = Loader(SET, 5, drop_last=drop_last)
    assert [len(labels) for _, labels in loader.epoch(3)] == sizes
    assert len(loader) == len(sizes)


def test_without_shuffle_the_order_is_the_sets_own():
    labels = np.concatenate([labels for _, labels in Loader(SET, 4, shuffle=False).epoch(2)])
    np.testing.assert_array_equal(labels, np.arange(23))


@pytest.mark.parametrize("start", range(6))
def test_training_resumes_at_any_batch_with_the_same_bits(start):
    whole = list(Loader(SET, 5, seed=7, augment="pad_crop_flip").epoch(4))
    resumed = Loader(SET, 5, seed=7, augment="pad_crop_flip").epoch(4, start_batch=start)
    assert_same_batches(resumed, whole[start:])


def test_epochs_do_not_depend_on_what_was_drawn_before():
    loader = Loader(SET, 5, augment="pad_crop_flip")
    second = list(loader.epoch(1))
    next(loader.epoch(0))
    assert_same_batches(loader.epoch(1), second)


def test_every_epoch_and_every_seed_shuffles_and_augments_anew():
    loaders = [Loader(SET, 23, seed=seed, augment="pad_crop_flip") for seed in (0, 1)]
    epochs = [next(loader.epoch(number)) for loader in loaders for number in (0, 1)]
    assert len({labels.tobytes() for _, labels in epochs}) == 4
    unshuffled = Loader(SET, 23, shuffle=False, augment="pad_crop_flip")
    assert len({next(unshuffled.epoch(number))[0].tobytes() for number in range(4)}) == 4


def test_batches_of_one_epoch_are_augmented_differently():
    same = Dataset(np.tile(SET.images[:4], (2, 1, 1, 1)), np.zeros(8, int), ["all"])
    (first, _), (second, _) = Loader(same, 4, shuffle=False, augment="pad_crop_flip").epoch(0)
    assert not np.array_equal(first, second)


def test_a_named_augmentation_is_the_function_of_that_name():
    assert_same_batches(
        Loader(SET, 5, augment="pad_crop_flip").epoch(0), Loader(SET, 5, augment=pad_crop_flip()).epoch(0)
    )


def test_a_models_preprocessing_wins_over_the_sets_own():
    preprocessing = ((0.5, 0.5), (0.25, 0.5))
    images, labels = next(Loader(SET, 5, preprocessing=preprocessing).epoch(0))
    np.testing.assert_array_equal(images, SET.normalized(labels, preprocessing))


def test_a_users_own_augmentation_may_change_the_size_of_images():
    images, _ = next(Loader(SET, 5, augment=lambda images, rng: images[:, 2:, :4]).epoch(0))
    assert images.shape == (5, 6, 4, 2)


@pytest.mark.parametrize("wrong", [lambda x, rng: x / 255, lambda x, rng: x[1:], lambda x, rng: x[..., 0]])
def test_a_users_augmentation_that_breaks_its_contract_is_named(wrong):
    with pytest.raises(ValueError, match=r"`augment` made .* it must return as many images, as uint8"):
        next(Loader(SET, 5, augment=wrong).epoch(0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, r"`batch_size` \(=0\) must be at least 1"),
        ({"batch_size": 5, "seed": -1}, r"`seed` \(=-1\) must be at least 0"),
        ({"batch_size": 24, "drop_last": True}, r"`batch_size` \(=24\) must be at most 23"),
        ({"batch_size": 5, "augment": "flip"}, r"`augment` \(='flip'\) must be one of pad_crop_flip"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Loader(SET, **arguments)


@pytest.mark.parametrize(
    ("number", "start", "message"),
    [(-1, 0, r"`number` \(=-1\)"), (0, -1, r"`start_batch` \(=-1\)"), (0, 6, r"`start_batch` \(=6\) .* 0 to 5")],
)
def test_wrong_epochs_are_refused_before_the_first_batch(number, start, message):
    with pytest.raises(ValueError, match=message):
        Loader(SET, 5).epoch(number, start)
