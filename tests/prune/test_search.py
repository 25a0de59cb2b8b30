from __future__ import annotations

import itertools
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from tinyslim import graph, nn, prune

EXAMPLE = np.zeros((1, 12, 12, 1), np.float32)


def net(seed: int = 0) -> nn.Module:
    convs = nn.Conv2d(1, 8, 3, seed=seed), nn.Conv2d(8, 16, 3, seed=seed), nn.Conv2d(16, 12, 3, seed=seed)
    layers = [layer for conv in convs for layer in (conv, nn.ReLU())]
    return nn.Sequential(*layers, nn.GlobalAvgPool2d(), nn.Linear(12, 4, seed=seed))


def norms(model: nn.Module) -> np.ndarray:
    """How much of each layer's weights is left: its maximum lies away from uniform ratios."""
    return np.array(
        [np.abs(array).sum() for name, array in model.state_dict().items() if name.endswith("weight")], np.float64
    )


def doubled(model: nn.Module) -> nn.Module:
    model.get("0").weight.data *= 2
    return model


def search(steps=30, model=None, evaluate=norms, **settings) -> prune.Search:
    return prune.plan_search(model or net(), EXAMPLE, evaluate, steps=steps, **settings)


class Interrupted(Exception):
    """Stands for a kill."""


class Breaking:
    """An `evaluate` that fails at a call, and counts those before."""

    identity = "norms"

    def __init__(self, calls: float = float("inf")):
        self.left, self.called = calls, 0

    def __call__(self, model):
        if self.called >= self.left:
            raise Interrupted
        self.called += 1
        return norms(model)


class Immediate(Executor):
    """Runs what it is given at once."""

    def __init__(self):
        self.calls = 0

    def submit(self, function, /, *args, **kwargs) -> Future:
        self.calls += 1
        future = Future()
        future.set_result(function(*args, **kwargs))
        return future


def uneven(model: nn.Module) -> np.ndarray:
    """`norms`, after a while that differs from network to network."""
    scores = norms(model)
    time.sleep(scores.sum() * 1000 % 1 / 100)
    return scores


# What is found.


def test_the_search_starts_at_the_uniform_plan_and_its_best_is_no_worse():
    found = search()
    uniform = prune.plan_uniform(net(), EXAMPLE, 0.5)
    assert found.trials[0].ratios == uniform.ratios
    assert found.trials[0].score == norms(uniform.apply()).mean()
    assert found.best.score == max(trial.score for trial in found.trials) > found.trials[0].score


def test_the_best_is_that_of_all_networks_at_the_target():
    # Few enough channels to try everything. A first layer of large weights should keep more than its share.
    layers = nn.Conv2d(1, 5, 3), nn.Conv2d(5, 6, 3), nn.Conv2d(6, 4, 3), nn.GlobalAvgPool2d(), nn.Linear(4, 2)
    model = nn.Sequential(*layers)
    model[0].weight.data *= 20
    scores = {}
    for widths in itertools.product(range(1, 6), range(1, 7), range(1, 5)):
        ratios = {str(layer): 1 - n / w for layer, (n, w) in enumerate(zip(widths, (5, 6, 4), strict=True))}
        plan = prune.plan_ratios(model, EXAMPLE, ratios)
        if plan.achieved >= 0.5:
            scores[widths] = float(norms(plan.apply()).mean())
    found = prune.plan_search(model, EXAMPLE, norms, steps=60)
    assert found.best.score == max(scores.values()) > found.trials[0].score


def test_the_plan_and_the_smaller_model_are_those_of_the_best_trial():
    found, smaller = search(10), prune.search(net(), EXAMPLE, norms, steps=10)
    assert found.plan.ratios == found.best.ratios
    assert found.plan.achieved == found.best.flops_removed
    assert norms(smaller).mean() == found.best.score
    assert graph.summary(smaller, EXAMPLE).flops == found.plan.flops_after


@pytest.mark.parametrize("target", [0.2, 0.5, 0.8])
def test_every_trial_meets_the_target_and_no_more_than_the_last_channel_beyond(target):
    # The widest step is a channel of "0": at the beginning a seventh of the FLOPs of layer "2" go with it.
    for trial in search(40, target_flops=target).trials:
        assert target <= trial.flops_removed <= target + 0.1


def test_every_trial_lies_within_a_range():
    removed = [trial.flops_removed for trial in search(40, target_flops=(0.4, 0.6)).trials]
    assert min(removed) >= 0.4
    assert max(removed) <= 0.6 + 0.1


def test_given_ratios_are_where_the_search_starts():
    start = search(0, init_ratios={"0": 0.0, "2": 0.6, "4": 0.3}).trials[0]
    assert start.ratios["0"] == 0
    assert start.ratios["2"] > start.ratios["4"] > 0
    assert 0.5 <= start.flops_removed < 0.6


def test_widths_are_rounded_where_asked_for():
    for trial in search(20, target_flops=0.3, round_to=4).trials:
        kept = [(1 - ratio) * width for ratio, width in zip(trial.ratios.values(), (8, 16, 12), strict=True)]
        assert all(round(width, 9) in (4, 8, 12, 16) for width in kept)


def test_retraining_comes_before_evaluation():
    plain, trained = search(5, init_temperature=0), search(5, init_temperature=0, retrain=doubled)
    assert trained.trials[0].score > plain.trials[0].score


def test_a_single_number_has_no_standard_error_and_a_number_an_image_has_one():
    assert search(0, evaluate=lambda model: 0.5).trials[0].standard_error is None
    hits = np.array([1.0, 1, 0, 1])
    assert search(0, evaluate=lambda model: hits).trials[0].standard_error == pytest.approx(hits.std(ddof=1) / 2)


def test_a_network_is_evaluated_once_however_often_it_is_proposed():
    evaluate = Breaking()
    found = search(40, evaluate=evaluate, target_flops=0.9)
    networks = {tuple(trial.ratios.values()) for trial in found.trials}
    assert evaluate.called == len(networks) < len(found.trials)


def test_one_group_leaves_nothing_to_choose_and_the_search_ends():
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 2, 3))
    found = prune.plan_search(model, EXAMPLE, norms, steps=20)
    assert len({trial.flops_removed for trial in found.trials}) == 1


# The same walk, however it is walked.


def test_the_same_seed_gives_the_same_trials_and_another_one_others():
    assert search(seed=3).trials == search(seed=3).trials
    assert search(seed=3).trials != search(seed=4).trials


@pytest.mark.parametrize("ahead", [1, 3, 8])
def test_an_executor_gives_the_same_trials(ahead):
    with ThreadPoolExecutor(3) as executor:
        assert search(executor=executor, ahead=ahead).trials == search().trials


def test_results_that_come_back_in_another_order_give_the_same_trials():
    with ThreadPoolExecutor(4) as executor:
        assert search(executor=executor, evaluate=uneven).trials == search().trials


def test_an_executor_is_given_trials_ahead_that_one_process_never_makes():
    evaluate, executor = Breaking(), Immediate()
    found = search(evaluate=evaluate, executor=executor, ahead=8)
    assert found.trials == search().trials
    assert executor.calls == evaluate.called > len({tuple(trial.ratios.values()) for trial in found.trials})


def test_processes_give_the_same_trials():
    pool = ProcessPoolExecutor(2, get_context("spawn"))
    with pool as executor:
        assert (
            search(4, executor=executor, ahead=2, evaluate=float_of_state).trials
            == search(4, evaluate=float_of_state).trials
        )


def float_of_state(model) -> float:
    return float(sum(np.abs(array).sum() for array in model.state_dict().values()))


def test_a_search_that_was_killed_in_any_trial_goes_on_to_the_same_trials(tmp_path):
    evaluate = Breaking()
    whole = search(14, evaluate=evaluate)
    assert evaluate.called >= 8
    for killed_at in range(evaluate.called):
        path, rest, told = tmp_path / f"{killed_at}.jsonl", Breaking(), []
        with pytest.raises(Interrupted):
            search(14, evaluate=Breaking(killed_at), path=path)
        done = len(path.read_text().splitlines()) - 1 if path.exists() else 0
        resumed = search(14, evaluate=rest, path=path, on_trial=told.append)
        assert resumed.trials == whole.trials
        assert resumed.plan.ratios == whole.plan.ratios
        # Nothing that had ended is done again, and only what is new is told.
        assert rest.called == evaluate.called - killed_at
        assert [trial.step for trial in told] == list(range(done, 15))


@pytest.mark.parametrize("last", range(9))
def test_a_search_that_was_killed_between_trials_goes_on_to_the_same_trials(tmp_path, last):
    def kill(trial):
        if trial.step == last:
            raise Interrupted

    with pytest.raises(Interrupted):
        search(8, path=tmp_path / "search.jsonl", on_trial=kill)
    assert len((tmp_path / "search.jsonl").read_text().splitlines()) == last + 2
    assert search(8, path=tmp_path / "search.jsonl").trials == search(8).trials


# What is refused.


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target_flops": 0.999}, r"can't be met: .* the nearest that can"),
        ({"target_flops": (0.6, 0.5)}, r"`target_flops` \(=\(0\.6, 0\.5\)\) must be above 0 and below 1"),
        ({"target_flops": 1.0}, r"`target_flops` \(=1\.0\) must be above 0 and below 1"),
        ({"uniform_range": 1}, r"`uniform_range` \(=1\) must be at least 2"),
        ({"init_ratios": {"0": 0.5}}, "`init_ratios` names 0; there are 0, 2, 4"),
        ({"init_ratios": {"0": 0.5, "2": 1.0, "4": 0}}, r"`init_ratios\['2'\]` \(=1\.0\) must be at least 0"),
        ({"steps": -1}, r"`steps` \(=-1\) must be at least 0"),
        ({"pruned_params": "head.*"}, "matches none"),
        ({"evaluate": lambda model: float("nan")}, "expected one finite number"),
    ],
)
def test_settings_that_mean_nothing_are_errors(settings, message):
    with pytest.raises(ValueError, match=message):
        search(**{"steps": 2} | settings)


def test_a_printed_search_shows_the_trials_that_were_the_best_so_far():
    found = search(20)
    rows = str(found).splitlines()
    assert [int(row.split()[0]) for row in rows[1:-1]] == [trial.step for trial in found.trials if trial.best]
    assert rows[-1].startswith("20 steps, ")
    assert repr(found) == f"Search(trial {found.best.step} of 20 is the best: {found.best.score:.4f})"
