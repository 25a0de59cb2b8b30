"""Sensitivities are those of physically cut networks, the same wherever they are measured, and survive a kill."""

from __future__ import annotations

import json
import os
import pickle
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tinyslim import data, nn, prune, train
from tinyslim.prune.measuring import removed_by

EXAMPLE = np.zeros((1, 8, 8, 1), np.float32)
RATIOS = (0.25, 0.5, 0.75)


@pytest.fixture(scope="module")
def images() -> data.Dataset:
    """Dark and bright ones, by two classes, with noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 2
    pixels = rng.integers(0, 180, (120, 8, 8)) + 40 * labels[:, None, None]
    return data.Dataset(pixels.astype(np.uint8), labels, ["dark", "bright"])


@pytest.fixture(scope="module")
def model(images) -> nn.Module:
    rng = np.random.default_rng(0)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, bias=False, seed=rng), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 6, 3, seed=rng), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(6, 2, seed=rng),
    )  # fmt: skip
    train.fit(net, images, epochs=3, batch_size=20, lr=0.1, quiet=True)
    return net.eval()


@pytest.fixture(scope="module")
def evaluate(images) -> prune.SubsetTop1:
    return prune.SubsetTop1(images, 100)


@pytest.fixture(scope="module")
def measured(model, evaluate) -> prune.Sensitivity:
    return prune.sensitivity(model, EXAMPLE, evaluate, RATIOS)


class Stop(Exception):
    """In the place of a kill."""


class Deadly:
    """Evaluates; at a network in the middle, where the file `bomb` lies, takes it and its own process with it."""

    def __init__(self, evaluate, bomb):
        self.evaluate, self.bomb, self.identity = evaluate, bomb, evaluate.identity

    def __call__(self, model):
        if model.get("0").weight.shape[3] == 4 and self.bomb.exists():
            self.bomb.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.evaluate(model)


def stop_after(count: int):
    def on_trial(done: int, of: int) -> None:
        if done == count:
            raise Stop

    return on_trial


# The evaluation.


def test_a_subset_is_the_same_every_time_and_is_told_by_its_bytes(images):
    one, again = prune.SubsetTop1(images, 40), prune.SubsetTop1(images, 40)
    assert one.identity == again.identity
    assert "40 images" in one.identity
    others = [prune.SubsetTop1(images, 40, seed=1), prune.SubsetTop1(images, 41), prune.SubsetTop1(images, 40, 0, 1)]
    assert len({one.identity, *(other.identity for other in others)}) == 4


def test_a_subset_by_name_is_loaded_where_it_is_used_and_equal_to_that_of_the_set():
    named = prune.SubsetTop1("fashion_mnist_mini", 30)
    assert len(pickle.dumps(named)) < 1000
    assert pickle.loads(pickle.dumps(named)).identity == named.identity
    assert named.identity == prune.SubsetTop1(data.load("fashion_mnist_mini")[0], 30).identity


def test_top1_is_that_of_train_evaluate(model, images):
    hits = prune.SubsetTop1(images, 1000)(model)
    assert hits.shape == (120,)
    assert hits.mean() == train.evaluate(model, images)["top1"]


def test_batch_norm_is_measured_anew_on_request_in_the_cut_copy_alone(model, images):
    before = {name: array.copy() for name, array in model.state_dict().items()}
    task = (train.to_bytes(model, EXAMPLE), EXAMPLE.shape)
    rest = ("l1_norm", "*", 0, 1, {"0": 0.5})
    scores = [prune.trial(*task, prune.SubsetTop1(images, 100, 0, batches), *rest) for batches in (0, 1)]
    assert not np.array_equal(*scores)
    assert all(np.array_equal(array, before[name]) for name, array in model.state_dict().items())
    again = prune.trial(*task, prune.SubsetTop1(images, 100, 0, 1), *rest)
    assert np.array_equal(again, scores[1])


@pytest.mark.parametrize("bad", [np.zeros((2, 2)), np.zeros(0), float("nan"), [1.0, np.inf]])
def test_what_is_no_score_is_refused(bad, model):
    with pytest.raises(ValueError, match="`evaluate` returned an array of shape"):
        prune.sensitivity(model, EXAMPLE, lambda _: bad, RATIOS)


def test_the_standard_error_is_that_of_paired_differences(rng):
    before, after = (rng.random((2, 50)) < 0.8).astype(float)
    score, loss, error = prune.score_and_loss(after, before)
    assert (score, loss) == pytest.approx((after.mean(), before.mean() - after.mean()))
    draws = rng.integers(0, 50, (20_000, 50))
    assert error == pytest.approx((before - after)[draws].mean(axis=1).std(), rel=0.03)


# What is measured.


def test_every_trial_is_a_cut_of_one_group_by_whole_channels(measured, model, evaluate):
    assert [*measured.groups] == ["0", "3"]
    assert measured.baseline == evaluate(model).mean()
    for name, width in (("0", 8), ("3", 6)):
        group = measured.groups[name]
        assert [one.removed for one in group.measurements] == removed_by(RATIOS, width)
        for ratio, score, loss in zip(group.ratios, group.scores, group.losses, strict=True):
            cut = prune.plan_ratios(model, EXAMPLE, {name: ratio}).apply()
            assert score == evaluate(cut).mean()
            assert loss == pytest.approx(measured.baseline - score)
    assert max(group.losses.max() for group in measured.groups.values()) > 0.1


def test_ratios_that_mean_the_same_channels_are_measured_once(model, evaluate):
    told = []
    prune.sensitivity(model, EXAMPLE, evaluate, (0.49, 0.5, 0.51), on_trial=lambda *progress: told.append(progress))
    assert told == [(1, 2), (2, 2)]


def test_threads_measure_the_same(measured, model, evaluate):
    assert prune.sensitivity(model, EXAMPLE, evaluate, RATIOS, lambda: ThreadPoolExecutor(3)) == measured


def test_patterns_criteria_and_rounding_are_heeded(model, evaluate):
    found = prune.sensitivity(model, EXAMPLE, evaluate, RATIOS, pruned_params="3.*", round_to=3)
    assert [(name, [one.removed for one in group.measurements]) for name, group in found.groups.items()] == [("3", [3])]
    by_function = prune.sensitivity(model, EXAMPLE, evaluate, RATIOS, criterion=smallest_last)
    assert by_function.identity["criterion"].endswith("smallest_last")
    assert by_function != prune.sensitivity(model, EXAMPLE, evaluate, RATIOS)


def smallest_last(weight: np.ndarray) -> np.ndarray:
    return -np.abs(weight).reshape(-1, weight.shape[-1]).sum(axis=0)


@pytest.mark.parametrize("ratios", [(), (0.5, 0.25), (0.0, 0.5), (0.5, 1.0), (0.5, 0.5), (float("nan"),)])
def test_ratios_that_mean_nothing_are_refused(ratios, model, evaluate):
    with pytest.raises(ValueError, match=r"`ratios` .* must rise, and lie above 0 and below 1"):
        prune.sensitivity(model, EXAMPLE, evaluate, ratios)


# The file.


@pytest.mark.parametrize("count", [1, 3, 5])
def test_a_measurement_that_was_stopped_goes_on_where_it_was(count, measured, model, evaluate, tmp_path):
    path, told = tmp_path / "kept.json", []
    with pytest.raises(Stop):
        prune.sensitivity(model, EXAMPLE, evaluate, RATIOS, path=path, on_trial=stop_after(count))
    with pytest.raises(ValueError, match=f"lacks {6 - count} trials"):
        prune.Sensitivity.load(path)
    again = prune.sensitivity(
        model, EXAMPLE, evaluate, RATIOS, path=path, on_trial=lambda *progress: told.append(progress)
    )
    assert told == [(number, 6) for number in range(count + 1, 7)]
    assert again == measured == prune.Sensitivity.load(path)


def test_a_finished_file_is_taken_as_it_is(measured, model, images, tmp_path):
    measured.save(tmp_path / "kept.json")

    class Unasked(prune.SubsetTop1):
        def __call__(self, model):
            pytest.fail("measured again")

    assert prune.sensitivity(model, EXAMPLE, Unasked(images, 100), RATIOS, path=tmp_path / "kept.json") == measured


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 1}, "seed was 0, now 1"),
        ({"criterion": "l2_norm"}, "criterion was 'l1_norm', now 'l2_norm'"),
        ({"ratios": (0.5,)}, r"ratios was \[0.25, 0.5, 0.75\], now \[0.5\]"),
        ({"pruned_params": "0.*"}, r"pruned_params was '\*', now '0.\*'"),
        (
            {"model": nn.Sequential(nn.Conv2d(1, 4, 3, seed=0), nn.Conv2d(4, 2, 3, seed=0))},
            "model was '[0-9a-f]{16}', now '",
        ),
    ],
)
def test_a_file_of_another_measurement_is_refused_with_the_difference(
    change, told, measured, model, evaluate, tmp_path
):
    measured.save(tmp_path / "kept.json")
    usual = {"model": model, "example": EXAMPLE, "evaluate": evaluate, "ratios": RATIOS, "path": tmp_path / "kept.json"}
    before = (tmp_path / "kept.json").read_bytes()
    with pytest.raises(ValueError, match=rf"kept.json' belongs to another measurement: .*{told}"):
        prune.sensitivity(**usual | change)
    assert (tmp_path / "kept.json").read_bytes() == before


def test_a_file_of_other_images_is_refused(measured, model, images, tmp_path):
    measured.save(tmp_path / "kept.json")
    with pytest.raises(ValueError, match=r"data was 'top-1 on Dataset\(100 images.*now 'top-1 on Dataset\(99 images"):
        prune.sensitivity(model, EXAMPLE, prune.SubsetTop1(images, 99), RATIOS, path=tmp_path / "kept.json")


def test_an_evaluation_that_has_changed_under_its_name_is_seen(model, tmp_path):
    path, scores = tmp_path / "kept.json", iter([0.9, 0.8, 0.85])
    with pytest.raises(Stop):
        prune.sensitivity(model, EXAMPLE, lambda _: next(scores), RATIOS, path=path, on_trial=stop_after(1))
    with pytest.raises(ValueError, match=r"the whole network's score was 0\.9, now 0.85"):
        prune.sensitivity(model, EXAMPLE, lambda _: next(scores), RATIOS, path=path)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "tinyslim-sensitivity", "version": 2}', "half a fi"])
def test_a_damaged_file_is_named(text, model, evaluate, tmp_path):
    (tmp_path / "kept.json").write_text(text)
    with pytest.raises(ValueError, match=r"kept.json' is not a whole sensitivity"):
        prune.sensitivity(model, EXAMPLE, evaluate, RATIOS, path=tmp_path / "kept.json")


def test_scores_without_images_have_no_error_and_are_kept_so(model, tmp_path):
    path = tmp_path / "kept.json"
    found = prune.sensitivity(model, EXAMPLE, lambda smaller: smaller.get("0").weight.size / 72, RATIOS, path=path)
    rows = json.loads(path.read_text())["groups"]["0"]["measurements"]
    assert [row["standard_error"] for row in rows] == [None] * 3
    assert np.isnan(prune.Sensitivity.load(path).groups["0"].standard_errors).all()
    assert found.groups["0"].losses.tolist() == [0.25, 0.5, 0.75]


# A cluster.


# What Dask itself warns of is not ours.
@pytest.mark.filterwarnings("default")
def test_a_cluster_that_loses_a_worker_in_the_middle_measures_the_same(measured, model, evaluate, tmp_path):
    import dask
    from distributed import Client, LocalCluster

    (tmp_path / "bomb").touch()
    # Dask tries a task three times by itself; here its first loss is to reach us.
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        before, executor = set(client.run(os.getpid).values()), client.get_executor()
        calls, submit = [], executor.submit
        executor.submit = lambda *call: calls.append(call) or submit(*call)
        found = prune.sensitivity(model, EXAMPLE, Deadly(evaluate, tmp_path / "bomb"), RATIOS, executor)
        assert found == measured
        assert len(before) == 2 and os.getpid() not in before
        assert not (tmp_path / "bomb").exists()
        assert len(calls) > 1 + 2 * len(RATIOS)
