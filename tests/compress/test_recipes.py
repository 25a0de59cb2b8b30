"""The recipes that ship: what each is made of, and what is told of what they achieved."""

from __future__ import annotations

import json

import pytest

from tinyslim.compress import achieved, read_config, recipes, record

QUANTISED = {
    "quant": "moving_average_abs_max",
    "quant_abs_max": "abs_max",
    "quant_range_abs_max": "range_abs_max",
    "prune_quant": "abs_max",
    "prune_distill_quant": "abs_max",
}


@pytest.mark.parametrize("name", QUANTISED)
def test_activations_are_quantised_as_the_recipe_says(name):
    last = read_config(name).strategies[-1]
    assert last.activation_quantize_type == QUANTISED[name]
    assert (last.weight_bits, last.activation_bits) == (8, 8)


def test_the_three_ways_to_quantise_differ_in_nothing_else():
    tables = [read_config(name).as_dict() for name in list(QUANTISED)[:3]]
    for table in tables:
        table["strategies"]["quant"].pop("activation_quantize_type")
    assert tables[0] == tables[1] == tables[2]


def test_a_teacher_is_what_tells_prune_distill_quant_from_prune_quant():
    alone, taught = (read_config(name).as_dict() for name in ("prune_quant", "prune_distill_quant"))
    assert alone["strategies"]["distil"].pop("teacher") == "self"
    assert taught["strategies"]["distil"].pop("teacher") == "resnet20"
    assert alone == taught
    assert alone["strategies"]["prune"]["target_ratio"] == 0.5


@pytest.fixture
def run_of(tmp_path):
    """Writes what a finished run leaves of its numbers."""

    def write(name: str, seed: int, top1: float, folder: str | None = None, **changes):
        out = tmp_path / (folder or f"{name}-{seed}")
        out.mkdir()
        overrides = [("compressor.seed", seed), *((f"compressor.{key}", value) for key, value in changes.items())]
        (out / "config.json").write_text(read_config(name, overrides).as_json())
        before = {"top1": 0.9, "top5": 1.0, "params": 9, "bytes": 1000, "flops": 100, "latency_ms": 2.0}
        after = before | {"top1": top1, "bytes": 250, "latency_ms": 0.5}
        told = {"recipe": name, "before": before, "after": after, "kind": "int8", "test_images": 10_000}
        (out / "metrics.json").write_text(json.dumps(told))
        return out

    return write


def test_what_a_recipe_achieved_is_the_mean_of_its_runs(run_of, tmp_path):
    kept = tmp_path / "achieved.json"
    assert record([run_of("quant", 0, 0.88), run_of("quant", 1, 0.90)], kept) == ["quant"]
    assert achieved("quant", kept) == (
        "top-1 90.00% → 89.00%, bytes -75.0%, FLOPs +0.0%, milliseconds -75% (int8, 2 seeds, 10,000 test images)"
    )
    assert json.loads(kept.read_text())["quant"]["top1_of_each_seed"] == [0.88, 0.90]
    assert achieved("uniform_prune", kept) == "not measured"
    assert record([run_of("uniform_prune", 0, 0.89)], kept) == ["uniform_prune"]
    assert "1 seed," in achieved("uniform_prune", kept) and "2 seeds," in achieved("quant", kept)


def test_a_recipe_that_changed_is_not_measured(run_of, tmp_path):
    kept = tmp_path / "achieved.json"
    record([run_of("quant", 0, 0.88)], kept)
    kept.write_text(kept.read_text().replace('"recipe_sha256": "', '"recipe_sha256": "0'))
    assert achieved("quant", kept) == "not measured since the recipe changed"


def test_runs_that_are_not_the_recipes_are_refused(run_of, tmp_path):
    kept, good = tmp_path / "achieved.json", run_of("quant", 0, 0.88)
    for folders, message in (
        ([run_of("quant", 3, 0.9, epochs=9)], "holds a run of quant with other values than the recipe's"),
        ([good, run_of("quant", 0, 0.9, "again")], "is a second run of quant with the seed 0"),
        ([good, tmp_path], "holds no finished run: there is no "),
    ):
        with pytest.raises(ValueError, match=message):
            record(folders, kept)
    (good / "metrics.json").write_text((good / "metrics.json").read_text().replace('"quant"', '"mine"'))
    with pytest.raises(ValueError, match="holds a run of 'mine', which is no recipe that ships"):
        record([good], kept)
    assert not kept.exists()


def test_what_ships_was_measured_from_the_recipes_that_ship():
    assert all(not achieved(name).endswith("since the recipe changed") for name in recipes.names())
