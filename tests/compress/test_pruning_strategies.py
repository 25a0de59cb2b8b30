"""Uniform, sensitive and searched pruning as strategies: what they cut, what they leave, and how they go on."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np
import pytest

from tinyslim import nn, prune, train
from tinyslim.compress import Compressor, ConfigError, Strategy, read_config, recipes, register

PRUNING = ("UniformPruneStrategy", "SensitivePruneStrategy", "AutoPruneStrategy")
#: Fields that make each of them quick here.
SMALL = {
    "UniformPruneStrategy": {},
    "SensitivePruneStrategy": {"delta_rate": 0.25, "eval_rate": 0.5},
    "AutoPruneStrategy": {"max_iter_number": 8, "eval_rate": 0.5},
}
#: What each leaves in the folder beside what every run leaves.
OWN = {
    "UniformPruneStrategy": {"widths.png"},
    "SensitivePruneStrategy": {"widths.png", "sensitivity.png", "sensitivity.json"},
    "AutoPruneStrategy": {"widths.png", "search.png", "search.jsonl"},
}
EVERY = {"program.npz", "model.npz", "best.npz", "metrics.json", "config.json", "report.html", "compression.png"}


@register
class Cuts(Strategy):
    """Writes down after each epoch what the strategy `prune` has removed by then."""

    seen: ClassVar[list[tuple[float, float]]] = []

    def on_epoch_begin(self, context):
        state = context.state["prune"]
        self.seen.append((state["requested"], state["achieved"]))


@pytest.fixture(scope="module")
def wide(train_set) -> nn.Module:
    """Wide enough for a target to be met within one in a hundred."""
    rng = np.random.default_rng(0)
    layers = []
    for channels_in, channels, stride in ((1, 24, 1), (24, 32, 2), (32, 24, 1)):
        layers += [
            nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False, seed=rng),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        ]
    model = nn.Sequential(*layers, nn.GlobalAvgPool2d(), nn.Linear(24, 3, seed=rng))
    train.fit(model, train_set, epochs=1, batch_size=16, lr=0.1, quiet=True)
    return model


@pytest.fixture
def compress_in(wide, train_set, test_set):
    def run(out, kind="SensitivePruneStrategy", epochs=1, model=wide, others=None, fields=None, **more):
        table = {"class": kind, "recalibration_batches": 2, **SMALL[kind], **(fields or {})}
        config = {
            "compressor": {"epochs": epochs, "batch_size": 32, "lr": 0.02},
            "strategies": {"prune": table, **(others or {})},
        }
        return Compressor(model, train_set, test_set, config, out=out, **{"quiet": True, **more}).run()

    return run


def timeless(values):
    """Metrics without what a clock says."""
    if isinstance(values, dict):
        return {key: timeless(value) for key, value in values.items() if key not in ("seconds", "latency_ms")}
    return [timeless(value) for value in values] if isinstance(values, list) else values


def results(folder) -> dict:
    """All that a run leaves, but for the pictures and the clock."""
    read = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix not in (".png", ".html")}
    return read | {"metrics.json": timeless(json.loads(read["metrics.json"]))}


@pytest.mark.parametrize("kind", PRUNING)
def test_each_meets_the_target_and_leaves_its_numbers_and_pictures(kind, compress_in, tmp_path):
    result = compress_in(tmp_path, kind, fields={"target_ratio": 0.5})
    told = result.metrics["strategies"]["prune"]
    assert told["requested"] == 0.5
    assert 0.5 <= told["achieved"] < 0.52
    assert told["achieved"] == pytest.approx(result.metrics["flops_reduction"])
    layers = dict(result.model.named_modules())
    assert all(layers[name].weight.shape[-1] == after <= before for name, (before, after) in told["widths"].items())
    assert {path.name for path in tmp_path.iterdir()} == EVERY | OWN[kind]
    assert 0 < result.history[0]["top1_after_cut"] <= 1


@pytest.mark.parametrize("kind", PRUNING)
def test_each_runs_from_its_recipe(kind, wide, train_set, test_set, tmp_path):
    (name,) = (
        name
        for name in recipes.names()
        if [type(strategy).__name__ for strategy in read_config(name).strategies] == [kind]
    )
    fields = SMALL[kind] | {"recalibration_batches": 2}
    changes = [(f"strategies.prune.{field}", value) for field, value in fields.items()]
    config = read_config(name, [("compressor.epochs", 1), *changes])
    result = Compressor(wide, train_set, test_set, config, out=tmp_path, quiet=True).run()
    assert result.metrics["recipe"] == name
    assert 0.5 <= result.metrics["flops_reduction"] < 0.52


def test_three_steps_take_the_same_share_of_what_is_left_and_end_at_the_target(compress_in, tmp_path):
    Cuts.seen.clear()
    result = compress_in(tmp_path, epochs=3, fields={"num_steps": 3}, others={"cuts": {"class": "Cuts"}})
    requested, achieved = np.transpose(Cuts.seen)
    assert requested == pytest.approx([1 - 0.5 ** (step / 3) for step in (1, 2, 3)])
    # One channel of this narrow network is up to 0.03 of its FLOPs.
    assert (achieved >= requested).all() and (achieved < requested + 0.03).all()
    assert 0.5 <= result.metrics["flops_reduction"] < 0.52
    assert len(result.metrics["strategies"]["prune"]["sensitivities"]) == 3
    own = OWN["SensitivePruneStrategy"]
    numbered = {f"{stem}-{step}.{suffix}" for stem, suffix in (name.split(".") for name in own) for step in (2, 3)}
    assert {path.name for path in tmp_path.iterdir()} == EVERY | own | numbered


def test_steps_are_spread_over_the_epochs_until_the_end_epoch():
    table = {"class": "SensitivePruneStrategy", "num_steps": 3, "start_epoch": 1, "end_epoch": 8}
    (strategy,) = read_config({"compressor": {"epochs": 9}, "strategies": {"prune": table}}).strategies
    assert list(strategy.replacing(9)) == [1, 3, 5]


def test_sensitivity_is_measured_on_training_images_at_the_ratios_that_delta_rate_gives(
    compress_in, train_set, tmp_path
):
    compress_in(tmp_path, fields={"delta_rate": 0.3})
    kept = prune.Sensitivity.load(tmp_path / "sensitivity.json")
    assert tuple(kept.ratios) == (0.3, 0.6, 0.9)
    written = json.loads((tmp_path / "sensitivity.json").read_text())
    assert prune.SubsetTop1(train_set, 48, 0, 2).identity in json.dumps(written, ensure_ascii=False)


def test_a_sensitivities_file_is_used_again_and_refused_for_another_model(compress_in, untrained, tmp_path):
    kept = {"sensitivities_file": str(tmp_path / "kept.json")}
    first = compress_in(tmp_path / "a", fields=kept)
    written = (tmp_path / "kept.json").read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prune.SubsetTop1, "__call__", lambda *_: pytest.fail("measured again"))
        second = compress_in(tmp_path / "b", fields=kept)
    assert (first.out / "model.npz").read_bytes() == (second.out / "model.npz").read_bytes()
    assert (tmp_path / "kept.json").read_bytes() == written
    with pytest.raises(ValueError, match=r"strategies\.prune: .*kept\.json.*model"):
        compress_in(tmp_path / "c", model=untrained, fields=kept)


def test_a_search_without_a_target_stays_between_its_least_and_its_most(compress_in, tmp_path):
    result = compress_in(tmp_path, "AutoPruneStrategy", fields={"min_ratio": 0.4, "max_ratio": 0.6})
    trials = result.metrics["strategies"]["prune"]["trials"]
    assert len(trials) == 9
    assert all(0.4 <= trial["flops_removed"] < 0.62 for trial in trials)
    best = max(trials, key=lambda trial: trial["score"])
    assert result.metrics["flops_reduction"] == pytest.approx(best["flops_removed"])


def test_trials_that_train_first_score_otherwise(compress_in, untrained, tmp_path):
    scores = [
        [
            trial["score"]
            for trial in compress_in(
                tmp_path / str(epochs), "AutoPruneStrategy", model=untrained, fields={"retrain_epoch": epochs}
            ).metrics["strategies"]["prune"]["trials"]
        ]
        for epochs in (0, 1)
    ]
    assert scores[0] != scores[1]


def largest_first(weight: np.ndarray) -> np.ndarray:
    """The opposite of l1_norm."""
    return -np.abs(weight).reshape(-1, weight.shape[-1]).sum(axis=0)


@pytest.mark.parametrize("kind", PRUNING)
def test_a_users_function_ranks_the_filters(kind, compress_in, tmp_path):
    result = compress_in(tmp_path / "own", kind, fields={"criterion": largest_first})
    usual = compress_in(tmp_path / "l1", kind)
    assert (result.out / "model.npz").read_bytes() != (usual.out / "model.npz").read_bytes()
    assert "largest_first" in json.loads((result.out / "config.json").read_text())["strategies"]["prune"]["criterion"]


def test_widths_are_rounded_and_it_is_told(compress_in, tmp_path, capsys):
    result = compress_in(tmp_path, "UniformPruneStrategy", fields={"round_to": 8}, quiet=False)
    widths = result.metrics["strategies"]["prune"]["widths"]
    assert all(after % 8 == 0 for before, after in widths.values() if before > 3)
    assert "prune: widths are multiples of 8" in capsys.readouterr().out


def test_a_random_criterion_follows_the_seed(wide, train_set, test_set, tmp_path):
    def made(seed: int, out) -> bytes:
        table = {"class": "UniformPruneStrategy", "criterion": "random", "recalibration_batches": 0}
        config = {"compressor": {"epochs": 1, "seed": seed, "lr": 1e-9}, "strategies": {"prune": table}}
        result = Compressor(wide, train_set, test_set, config, out=out, quiet=True).run()
        return np.sort(np.concatenate([array.ravel() for array in result.model.state_dict().values()])).tobytes()

    one, again, other = (made(seed, tmp_path / name) for seed, name in ((0, "one"), (0, "again"), (1, "other")))
    assert one == again != other


@pytest.mark.parametrize("kind", ("SensitivePruneStrategy", "AutoPruneStrategy"))
def test_an_executor_runs_the_trials_to_the_same_end(kind, compress_in, tmp_path):
    with ThreadPoolExecutor(1, thread_name_prefix="elsewhere") as pool:
        submitted = []
        submit = pool.submit
        pool.submit = lambda *call: submitted.append(call) or submit(*call)
        away = compress_in(tmp_path / "away", kind, executor=pool)
    here = compress_in(tmp_path / "here", kind)
    assert len(submitted) > 5
    assert results(away.out) == results(here.out)


class Interrupt:
    """In the place of `SubsetTop1`'s measurement: counts, and presses Ctrl-C before one of them."""

    def __init__(self, patch):
        self.count, self.at, measure = 0, None, prune.SubsetTop1.__call__

        def call(evaluate, model):
            self.count += 1
            if self.count == self.at:
                raise KeyboardInterrupt
            return measure(evaluate, model)

        patch.setattr(prune.SubsetTop1, "__call__", call)


@pytest.mark.parametrize("start", (0, 1))
@pytest.mark.parametrize("kind", ("SensitivePruneStrategy", "AutoPruneStrategy"))
def test_a_run_stopped_while_it_measures_goes_on_from_there_to_the_same_bytes(
    kind, start, compress_in, monkeypatch, tmp_path
):
    fields, measured = {"start_epoch": start}, Interrupt(monkeypatch)
    unbroken = compress_in(tmp_path / "unbroken", kind, epochs=start + 1, fields=fields)
    whole, measured.count, measured.at = measured.count, 0, 4
    where = f"after epoch {start}" if start else "before epoch 1"
    with pytest.raises(KeyboardInterrupt, match=f"goes on {where}, in"):
        compress_in(tmp_path / "run", kind, epochs=start + 1, fields=fields)
    measured.count, measured.at = 0, None
    resumed = compress_in(tmp_path / "run", kind, epochs=start + 1, fields=fields, resume=True)
    # Sensitivities are losses against the whole network, which is measured again to see that nothing changed.
    assert measured.count == whole - 3 + (kind == "SensitivePruneStrategy")
    assert resumed.out == tmp_path / "run"
    assert results(resumed.out) == results(unbroken.out)


WRONG = {
    "least above most": ("AutoPruneStrategy", {"min_ratio": 0.8}, r"max_ratio \(=0\.7\) must be at least min_ratio"),
    "search that ends": ("AutoPruneStrategy", {"end_epoch": 3}, r"end_epoch \(=3\) must be left out"),
    "no trials": ("AutoPruneStrategy", {"max_iter_number": 0}, r"max_iter_number \(=0\) must be greater"),
    "one token": ("AutoPruneStrategy", {"uniform_range": 1}, r"uniform_range \(=1\) must be greater"),
    "a ratio of text": ("AutoPruneStrategy", {"init_ratios": {"0": "x"}}, r"init_ratios\.0 \(='x'\) must be a valid"),
    "unknown in a search": ("AutoPruneStrategy", {"num_steps": 2}, r"num_steps \(=2\) is unknown"),
    "a delta of 1": ("SensitivePruneStrategy", {"delta_rate": 1.0}, r"delta_rate \(=1\.0\) must be less"),
    "no step": ("SensitivePruneStrategy", {"num_steps": 0}, r"num_steps \(=0\) must be greater"),
    "too many steps": (
        "SensitivePruneStrategy",
        {"num_steps": 4, "end_epoch": 3},
        r"num_steps \(=4\) must be at most 3:",
    ),
    "steps past the end": ("SensitivePruneStrategy", {"num_steps": 9}, r"prune changes the model in epoch 8; the last"),
    "no images": ("SensitivePruneStrategy", {"eval_rate": 0.0}, r"eval_rate \(=0\.0\) must be greater"),
    "another metric": ("SensitivePruneStrategy", {"metric_name": "acc"}, r"metric_name \(='acc'\) must be 'top1'"),
    "no width": ("UniformPruneStrategy", {"round_to": 0}, r"round_to \(=0\) must be greater"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_wrong_fields_are_refused_before_any_work(fault):
    kind, fields, line = WRONG[fault]
    with pytest.raises(ConfigError, match=rf"strategies\.prune[. ].*{line.removeprefix('prune ')}"):
        read_config({"compressor": {"epochs": 4}, "strategies": {"prune": {"class": kind, **fields}}})


@pytest.mark.parametrize("kind", PRUNING)
def test_a_target_out_of_reach_is_refused_before_any_work(kind, compress_in, tmp_path):
    with pytest.raises(ValueError, match=r"strategies\.prune: `target_flops` \(=0\.9999\) can't be met"):
        compress_in(tmp_path, kind, fields={"target_ratio": 0.9999})
    assert not list(tmp_path.iterdir())
