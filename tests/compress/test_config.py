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

#: What is replaced in GOOD, by what, and the line that must come of it.
WRONG = {
    "unknown table": ("[compressor]", "[compresor]", r"compresor .* is unknown; did you mean compressor\?"),
    "unknown setting": ("epochs = 4", "epochs = 4\nbatchsize = 8", r"compressor\.batchsize \(=8\) .* batch_size\?"),
    "unknown field": ("target_ratio", "target_ration", r"prune\.target_ration .* did you mean target_ratio\?"),
    "field of no class": ("start_epoch = 2", "colour = 1", r"quant\.colour \(=1\) is unknown; there are .*weight_bits"),
    "unknown class": ("QuantizationStrategy", "QuantisationStrategy", r"class .* did you mean QuantizationStrategy\?"),
    "no class": ('class = "QuantizationStrategy"', "", r"quant\.class is missing; there are .*QuantizationStrategy"),
    "name in a table": ("start_epoch = 2", 'name = "q"', r"quant\.name \(='q'\) is unknown"),
    "missing epochs": ("epochs = 4", "", r"compressor\.epochs is missing"),
    "text for a number": ("epochs = 4", 'epochs = "4"', r"compressor\.epochs \(='4'\) must be a valid integer"),
    "float for a count": ("epochs = 4", "epochs = 4.0", r"compressor\.epochs \(=4\.0\) must be a valid integer"),
    "bool for a count": ("epochs = 4", "epochs = true", r"compressor\.epochs \(=True\) must be a valid integer"),
    "no epochs": ("epochs = 4", "epochs = 0", r"compressor\.epochs \(=0\) must be greater than or equal to 1"),
    "negative rate": ("epochs = 4", "epochs = 4\nlr = -0.1", r"compressor\.lr \(=-0\.1\) must be greater than 0"),
    "NaN rate": ("epochs = 4", "epochs = 4\nlr = nan", r"compressor\.lr \(=nan\) must be a finite number"),
    "momentum of 1": ("epochs = 4", "epochs = 4\nmomentum = 1.0", r"compressor\.momentum .* must be less than 1"),
    "unknown schedule": ("epochs = 4", 'epochs = 4\nschedule = "cosin"', r"schedule .* did you mean 'cosine'\?"),
    "unknown augmentation": (
        "epochs = 4",
        'epochs = 4\naugment = "flip"',
        r"augment \(='flip'\) must be 'none', 'pad_crop_flip'",
    ),
    "ratio of 1": ("target_ratio = 0.5", "target_ratio = 1.0", r"prune\.target_ratio \(=1\.0\) must be less than 1"),
    "unknown criterion": ("target_ratio = 0.5", 'criterion = "l1"', r"prune\.criterion \(='l1'\) must be 'l1_norm'"),
    "nine bits": ("start_epoch = 2", "weight_bits = 9", r"quant\.weight_bits \(=9\) must be less than or equal to 8"),
    "unknown quantiser": (
        "start_epoch = 2",
        'activation_quantize_type = "abs_maximum"',
        r"activation_quantize_type .* did you mean 'abs_max'\?",
    ),
    "negative epoch": ("start_epoch = 2", "start_epoch = -1", r"quant\.start_epoch \(=-1\) must be greater than or eq"),
    "start past the end": ("start_epoch = 2", "start_epoch = 4", r"quant\.start_epoch \(=4\) lies past the end"),
    "end past the end": ("start_epoch = 2", "end_epoch = 5", r"quant\.end_epoch \(=5\) lies past the end"),
    "end before start": (
        "start_epoch = 2",
        "start_epoch = 2\nend_epoch = 1",
        r"end_epoch \(=1\) must be above its start",
    ),
    "pruning too late": ("target_ratio = 0.5", "start_epoch = 3", r"prune changes the model in epoch 3, after .*quant"),
    "quantised twice": (
        "start_epoch = 2",
        'start_epoch = 2\n[strategies.again]\nclass = "QuantizationStrategy"\nstart_epoch = 3',
        r"again quantises in epoch 3, after strategies\.quant",
    ),
    "two schedules at once": (
        "target_ratio = 0.5",
        "lr = 0.1\n[strategies.other]\nclass = 'UniformPruneStrategy'\nlr = 0.2",
        r"strategies\.other\.lr: strategies\.prune\.lr begins a schedule in the same epoch",
    ),
    "a value for a table": (
        "[strategies.quant]",
        "[strategies]\nquant = 3\n[strategies.q]",
        r"quant \(=3\) must be a table",
    ),
    "a name of spaces": (
        "[strategies.quant]",
        '[strategies."my quant"]',
        r"my quant: a strategy's name must be made of",
    ),
    "no TOML": ("epochs = 4", "epochs 4", r"mine\.toml: Expected '=' after a key"),
}


@pytest.fixture
def written(tmp_path):
    def write(text: str):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("fault", WRONG)
def test_each_wrong_config_is_refused_with_file_key_and_remedy(fault, written):
    right, wrong, line = WRONG[fault]
    assert right in GOOD
    path = written(GOOD.replace(right, wrong, 1))
    with pytest.raises(ConfigError, match=line) as caught:
        read_config(path)
    assert all(problem.startswith(str(path)) for problem in caught.value.problems)


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
