"""The rows as they are registered: each plan is a config that can work, on every benchmark."""

from __future__ import annotations

import json

import pytest

from tinyslim import data, models, train
from tinyslim.compress import read_config, recipes
from tinyslim.tables import BENCHMARKS, TABLES, benchmark, rows_of
from tinyslim.tables.calibration_rows import CALIBRATION
from tinyslim.tables.recipe_rows import fitted
from tinyslim.tables.rows import Scene, asks_for_teacher

EVERY_ROW = [(table, row) for table, rows in TABLES.items() for row in rows]
TRAINED = [(table, row) for table, row in EVERY_ROW if row not in CALIBRATION]


@pytest.mark.parametrize("name", BENCHMARKS)
@pytest.mark.parametrize(("table", "row"), TRAINED, ids=[f"{table}-{row.name}" for table, row in TRAINED])
def test_every_plan_is_a_config_with_the_tables_epochs_and_the_seed(name, table, row):
    plan = row.plan(benchmark(name), 5)
    config = read_config(plan)
    assert (config.settings.epochs, config.settings.seed) == (benchmark(name).epochs[table], 5)
    assert config.settings.augment == benchmark(name).compressor["augment"]
    assert json.loads(json.dumps(plan)) == plan


def test_rows_of_calibration_try_every_way_once_and_train_nothing():
    plans = [row.plan(benchmark("fashion_mnist"), 3) for row in CALIBRATION]
    assert len({json.dumps(plan) for plan in plans}) == len(plans) == 4 * 2 * 2 * 2
    assert all(plan["seed"] == 3 for plan in plans)


def test_a_row_of_calibration_gives_the_numbers_of_an_int8_program(tmp_path):
    train_set, test_set = (part.subset(64) for part in data.load("fashion_mnist_mini"))
    model = models.mobilenet_v1(num_classes=10, width=0.125, in_channels=1, stem_stride=1)
    train.fit(model, train_set, epochs=1, batch_size=16, lr=0.01, quiet=True)
    row = CALIBRATION[3]
    scene = Scene(row.plan(benchmark("fashion_mnist_mini"), 0), train_set, test_set, 0, tmp_path, model=model.eval())
    outcome = row.run(scene)
    assert outcome.metrics["kind"] == "int8" and outcome.history == []
    assert outcome.metrics["after"]["bytes"] < 0.4 * outcome.metrics["before"]["bytes"]


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_a_control_and_no_name_twice(table):
    names = [row.name for row in TABLES[table]]
    assert names[0] == "control"
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


def test_rows_of_pruning_differ_in_their_strategy_alone():
    plans = [row.plan(benchmark("fashion_mnist"), 0) for row in rows_of("prune")]
    assert all(plan["compressor"] == plans[0]["compressor"] for plan in plans)
    assert len({json.dumps(plan["strategies"]) for plan in plans}) == len(plans)


def test_every_recipe_that_ships_has_a_row():
    assert [row.name for row in TABLES["recipes"]] == ["control", *recipes.names()]


def test_measuring_strategies_see_as_many_images_on_every_benchmark():
    for name, count in (("fashion_mnist", 60_000), ("fashion_mnist_mini", 10_000), ("cifar10", 50_000)):
        (row,) = rows_of("prune", ["sensitive"])
        rate = row.plan(benchmark(name), 0)["strategies"]["prune"]["eval_rate"]
        assert round(rate * count) == pytest.approx(2000, abs=1)


def test_epochs_of_strategies_move_with_those_of_the_recipe():
    recipe = {
        "compressor": {"epochs": 16, "batch_size": 8, "lr": 0.1},
        "strategies": {"a": {"start_epoch": 12}, "b": {"start_epoch": 0, "end_epoch": 8}, "c": {"eval_rate": 0.2}},
    }
    made = fitted(recipe, benchmark("fashion_mnist").shortened(epochs=4), 3)
    assert made["strategies"]["a"] == {"start_epoch": 3}
    assert made["strategies"]["b"] == {"start_epoch": 0, "end_epoch": 2}
    assert made["strategies"]["c"] == {"eval_rate": benchmark("fashion_mnist").eval_rate}
    assert made["compressor"] == {
        "epochs": 4, "batch_size": 64, "lr": 0.1, "augment": "shift_flip", "weight_decay": 1e-4, "seed": 3
    }  # fmt: skip
    shortest = fitted(recipe, benchmark("fashion_mnist").shortened(epochs=1), 3)
    assert shortest["strategies"]["a"] == {"start_epoch": 0}


def test_only_rows_that_learn_from_another_network_ask_for_a_teacher():
    asking = [row.name for table, row in EVERY_ROW if asks_for_teacher(row.plan(benchmark("cifar10"), 0))]
    assert "distill" in asking
    assert not {"control", "prune_quant", "uniform"} & set(asking)


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"`table` \(='prunes'\) is unknown; did you mean 'prune'"):
        rows_of("prunes")
    with pytest.raises(ValueError, match="'prune' has no row 'unifrom'; did you mean 'uniform'"):
        rows_of("prune", ["control", "unifrom"])
    with pytest.raises(ValueError, match=r"`data` \(='cifar'\) has no tables; did you mean 'cifar10'"):
        benchmark("cifar")


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match=r"`epochs` \(=0\) of 'prune' must be at least 1"):
        benchmark("cifar10").shortened(epochs=0)
    with pytest.raises(ValueError, match=r"`images` \(=50001\) must be from 2 to 50,000, all of cifar10"):
        benchmark("cifar10").shortened(images=50_001)
