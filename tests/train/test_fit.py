"""fit: it learns, it repeats itself bit for bit, it goes on where it stopped, it stops where it must."""

from __future__ import annotations

import json

import numba
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import tinyslim.functional as F
from tinyslim import Tensor, optim, train
from tinyslim.data import Loader

SETTINGS = {"epochs": 4, "batch_size": 16, "lr": 0.2, "seed": 3, "augment": "pad_crop_flip", "quiet": True}


class Stopped(Exception):
    """Stands for Ctrl-C."""


def stopping_at(call: int) -> train.Loss:
    """The usual loss, until it is called for the `call`-th time."""
    calls = iter(range(1, call))

    def loss(model, images, labels):
        if next(calls, None) is None:
            raise Stopped
        return train.label_loss()(model, images, labels)

    return loss


def nan_at(call: int) -> train.Loss:
    """The usual loss, but not a number in the `call`-th batch."""
    calls = iter(range(1, call))

    def loss(model, images, labels):
        value, logits = train.label_loss()(model, images, labels)
        return value * (np.nan if next(calls, None) is None else 1), logits

    return loss


def assert_same_weights(one, other):
    assert one.state_dict().keys() == other.state_dict().keys()
    for name, array in one.state_dict().items():
        assert_array_equal(other.state_dict()[name], array, err_msg=name)


def test_small_network_learns(stripes, small_net):
    model = small_net()
    history = train.fit(model, stripes, epochs=8, batch_size=16, lr=0.2, test_set=stripes, quiet=True)
    assert history[-1]["top1"] > 0.95
    assert history[-1]["train_loss"] < history[0]["train_loss"] / 3
    assert [entry["epoch"] for entry in history] == list(range(1, 9))
    assert not model.training
    assert train.evaluate(model, stripes)["top1"] == history[-1]["top1"]


def test_same_seed_gives_the_same_bits_at_any_number_of_threads(stripes, small_net):
    models, threads = [], numba.get_num_threads()
    try:
        for count in (1, min(2, numba.config.NUMBA_NUM_THREADS), 1):
            numba.set_num_threads(count)
            models.append(small_net())
            train.fit(models[-1], stripes, **SETTINGS)
    finally:
        numba.set_num_threads(threads)
    assert_same_weights(models[0], models[1])
    assert_same_weights(models[0], models[2])


def test_another_seed_gives_other_bits(stripes, small_net):
    first, second = small_net(), small_net()
    train.fit(first, stripes, **SETTINGS)
    train.fit(second, stripes, **SETTINGS | {"seed": 4})
    assert (first[0].weight.data != second[0].weight.data).any()


def test_resumed_training_ends_in_the_bits_of_the_unbroken_run(stripes, small_net, tmp_path):
    unbroken, first, second = small_net(), small_net(), small_net()
    history = train.fit(unbroken, stripes, test_set=stripes, out=tmp_path / "unbroken", **SETTINGS)
    with pytest.raises(Stopped):
        train.fit(first, stripes, test_set=stripes, out=tmp_path / "broken", loss=stopping_at(20), **SETTINGS)
    for array in second.state_dict().values():
        array[...] = 0
    resumed = train.fit(second, stripes, test_set=stripes, out=tmp_path / "broken", resume=True, **SETTINGS)
    assert_same_weights(unbroken, second)
    for one, other in zip(history, resumed, strict=True):
        assert one | {"seconds": 0} == other | {"seconds": 0}
    for name in ("checkpoint.npz", "model.npz"):
        ours, theirs = (np.load(tmp_path / run / name) for run in ("unbroken", "broken"))
        with ours, theirs:
            for key in set(ours.files) - {"header"}:
                assert_array_equal(ours[key], theirs[key])


def test_resume_without_a_checkpoint_starts_afresh_and_with_a_full_one_trains_no_more(stripes, small_net, tmp_path):
    model = small_net()
    history = train.fit(model, stripes, out=tmp_path, resume=True, **SETTINGS)
    again = train.fit(small_net(), stripes, out=tmp_path, resume=True, loss=stopping_at(1), **SETTINGS)
    assert again == history


def test_checkpoint_of_another_recipe_is_refused(stripes, small_net, tmp_path):
    train.fit(small_net(), stripes, out=tmp_path, **SETTINGS)
    with pytest.raises(ValueError, match=r"belongs to another recipe: lr was 0\.2, now 0\.1; seed was 3, now 5"):
        train.fit(small_net(), stripes, out=tmp_path, resume=True, **SETTINGS | {"lr": 0.1, "seed": 5})


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_loss_stops_before_its_step_and_tells_epoch_batch_and_rate(bad, stripes, small_net):
    model, losses = small_net(), iter([1.0, 1.0, bad])
    optimizer = optim.SGD(model.parameters(), 0.1)
    kept = []

    def loss(model, images, labels):
        value, logits = train.label_loss()(model, images, labels)
        kept.append(model[0].weight.data.copy())
        return value * next(losses), logits

    loader = Loader(stripes, 16)
    with pytest.raises(
        train.TrainingDivergedError, match=rf"{bad} in epoch 6, batch 3 of 8, at a learning rate of 0\.05"
    ):
        train.train_epoch(model, optimizer, optim.constant(0.05), loader, 5, loss)
    assert_array_equal(model[0].weight.data, kept[-1])
    assert (kept[-1] != kept[0]).any()


def test_divergence_keeps_the_checkpoint_of_the_last_good_epoch(stripes, small_net, tmp_path):
    # Batch 20 is the fourth of the third epoch.
    with pytest.raises(train.TrainingDivergedError, match="in epoch 3, batch 4 of 8"):
        train.fit(small_net(), stripes, out=tmp_path, loss=nan_at(20), **SETTINGS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.npz"]
    good = small_net()
    train.fit(good, stripes, out=tmp_path, resume=True, **SETTINGS)
    unbroken = small_net()
    train.fit(unbroken, stripes, **SETTINGS)
    assert_same_weights(good, unbroken)


def test_learning_rate_that_is_far_too_large_ends_in_that_error_and_no_warning(stripes, small_net):
    with pytest.raises(train.TrainingDivergedError, match="a lower `lr` may help"):
        train.fit(small_net(), stripes, **SETTINGS | {"lr": 1e30, "schedule": "constant"})


def test_folder_holds_model_checkpoint_and_history(stripes, small_net, tmp_path):
    model = small_net()
    history = train.fit(model, stripes, out=tmp_path / "new" / "folder", **SETTINGS)
    report = json.loads((tmp_path / "new" / "folder" / "history.json").read_text())
    assert report["history"] == history
    assert report["recipe"]["lr"] == 0.2
    loaded = train.load(tmp_path / "new" / "folder" / "model.npz")
    assert_array_equal(train.predict(loaded, stripes), train.predict(model, stripes))


def test_normalisation_is_the_training_sets_unless_the_model_has_its_own(stripes, small_net):
    model, other = small_net(), small_net()
    other.preprocessing = (0.5,), (0.25,)
    train.fit(model, stripes, **SETTINGS)
    train.fit(other, stripes, **SETTINGS)
    assert model.preprocessing == (stripes.mean, stripes.std)
    assert other.preprocessing == ((0.5,), (0.25,))


def test_own_loss_takes_the_place_of_the_labels(stripes, small_net):
    def to_zero(model, images, labels):
        logits = model(images)
        return F.mse_loss(logits, Tensor(np.zeros(logits.shape, np.float32))), logits

    model = small_net()
    train.fit(model, stripes, loss=to_zero, **SETTINGS)
    assert np.abs(train.predict(model, stripes)).max() < 0.2


def test_hook_sees_every_batch_with_its_rate(stripes, small_net):
    model, seen = small_net(), []
    optimizer = optim.SGD(model.parameters(), 0.1)
    schedule = lambda step: 0.001 * (step + 1)  # noqa: E731
    train.train_epoch(model, optimizer, schedule, Loader(stripes, 50), 2, train.label_loss(), seen.append)
    assert [(batch.epoch, batch.index, batch.count) for batch in seen] == [(2, 0, 3), (2, 1, 3), (2, 2, 3)]
    assert [batch.lr for batch in seen] == pytest.approx([0.007, 0.008, 0.009])


def test_progress_prints_one_line_an_epoch_and_none_when_quiet(stripes, small_net, capsys):
    train.fit(small_net(), stripes, test_set=stripes, **SETTINGS | {"quiet": False})
    lines = capsys.readouterr().out.strip().split("\n")
    assert [line.split("  ")[0] for line in lines] == [f"epoch {n}/4" for n in (1, 2, 3, 4)]
    assert "test top-1" in lines[-1]
    train.fit(small_net(), stripes, **SETTINGS)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"epochs": 0}, r"`epochs` \(=0\) must be at least 1"),
        ({"batch_size": 0}, r"`batch_size` \(=0\) must be at least 1"),
        ({"lr": -1}, r"`lr` \(=-1\)"),
        ({"schedule": "linear"}, r"`schedule` \(='linear'\)"),
        ({"augment": "blur"}, r"`augment` \(='blur'\)"),
        ({"label_smoothing": 1.5}, r"`label_smoothing` \(=1\.5\)"),
    ],
)
def test_impossible_setting_is_refused_by_name(setting, message, stripes, small_net):
    with pytest.raises(ValueError, match=message):
        train.fit(small_net(), stripes, **SETTINGS | setting)
