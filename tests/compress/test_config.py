"""A wrong config ends before any work, with the line that helps; a right one means what it says."""

from __future__ import annotations

import re

import pytest

from tinyslim import compress
from tinyslim.compress import ConfigError, read_config

GOOD = """
[compressor]
epochs = 4

[strategies.prune]
class = "UniformPruneStrategy"
target_ratio = 0.5

[strategies.quant]
class = "QuantizationStrategy"
start_epoch = 2
"""


@pytest.fixture
def written(tmp_path):
    def write(text: str):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return write


def test_the_config_that_faults_are_planted_in_is_good(written):
    config = read_config(written(GOOD))
    assert [strategy.name for strategy in config.strategies] == ["prune", "quant"]
    assert config.name == "mine"


def test_all_faults_are_listed_at_once_a_line_each(written):
    text = (
        GOOD.replace("epochs = 4", "epoch = 4").replace("target_ratio", "ratio").replace("start_epoch = 2", "bits = 4")
    )
    with pytest.raises(ConfigError) as caught:
        read_config(written(text))
    assert len(caught.value.problems) == 4
    assert str(caught.value).count("\n") == 3


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("strategies.prun.target_ratio", r"--set strategies\.prun\.target_ratio: .* did you mean prune\?"),
        ("compressor.epoch", r"compressor\.epoch \(=3\) is unknown; did you mean epochs\?"),
        ("epochs", r"--set epochs: must be compressor\.KEY or strategies\.NAME\.KEY"),
        ("compressor.epochs.deep", r"there is no compressor\.epochs"),
    ],
)
def test_a_wrong_override_is_refused(key, line):
    with pytest.raises(ConfigError, match=line):
        read_config("prune_quant", [(key, 3)])


def test_overrides_win_over_the_file():
    config = read_config("prune_quant", [("strategies.prune.target_ratio", 0.25), ("compressor.seed", 7)])
    assert config.strategies[0].target_ratio == 0.25
    assert config.settings.seed == 7


def test_a_config_that_was_read_can_be_changed_again():
    config = read_config(read_config("quant"), [("compressor.epochs", 9)])
    assert (config.name, config.settings.epochs) == ("quant", 9)


def test_a_dict_is_left_as_it_was(everything):
    before = repr(everything)
    read_config(everything, [("compressor.epochs", 9)])
    assert repr(everything) == before


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(ConfigError, match=r"`config` \(='prune_quantt'\) is no recipe; did you mean prune_quant\?"):
        read_config("prune_quantt")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no config file .*none\.toml"):
        read_config(tmp_path / "none.toml")


def test_a_config_must_be_a_name_a_path_or_a_dict():
    with pytest.raises(TypeError, match=r"`config` \(=3\) must be a recipe's name"):
        read_config(3)


def test_a_written_config_reads_back_as_itself(everything, tmp_path):
    import json

    config = read_config(everything)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config.as_dict()))
    assert read_config(path).as_dict() == config.as_dict()


@pytest.mark.parametrize("name", compress.recipes.names())
def test_each_recipe_is_a_good_config_of_at_most_forty_commented_lines(name):
    config = read_config(name)
    text = compress.recipes.path(name).read_text()
    assert config.name == name and config.strategies
    assert len(text.splitlines()) <= 40
    assert re.match(r"# \w.*\.\n", text)


def test_pruning_before_quantisation_in_the_same_epoch_follows_the_order_of_the_file():
    strategies = {"quant": {"class": "QuantizationStrategy"}, "prune": {"class": "UniformPruneStrategy"}}
    tables = {"compressor": {"epochs": 1}, "strategies": strategies}
    with pytest.raises(ConfigError, match=r"prune changes the model in epoch 0, after strategies\.quant"):
        read_config(tables)
    tables["strategies"] = dict(reversed(strategies.items()))
    assert len(read_config(tables).strategies) == 2
