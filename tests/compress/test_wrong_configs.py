"""Every wrong config ends in one line that helps, before a model is loaded, a folder made or a step trained."""

from __future__ import annotations

import re

import pytest

from tinyslim.cli import compress_model, main
from tinyslim.compress import (
    AutoPruneStrategy,
    CompressorSettings,
    DistillationStrategy,
    QuantizationStrategy,
    SensitivePruneStrategy,
    UniformPruneStrategy,
    read_config,
)

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
UNIFORM = 'class = "UniformPruneStrategy"\ntarget_ratio = 0.5'
SENSITIVE, AUTO = 'class = "SensitivePruneStrategy"\n', 'class = "AutoPruneStrategy"\n'

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
    "no batch": ("epochs = 4", "epochs = 4\nbatch_size = 0", r"compressor\.batch_size \(=0\) must be greater"),
    "half a batch": ("epochs = 4", "epochs = 4\nbatch_size = 0.5", r"batch_size \(=0\.5\) must be a valid integer"),
    "negative momentum": ("epochs = 4", "epochs = 4\nmomentum = -0.1", r"momentum \(=-0\.1\) must be greater"),
    "number for a truth": ("epochs = 4", "epochs = 4\nnesterov = 1", r"nesterov \(=1\) must be a valid boolean"),
    "negative decay": ("epochs = 4", "epochs = 4\nweight_decay = -1e-4", r"weight_decay \(=-0\.0001\) must be greater"),
    "smoothing of 1": ("epochs = 4", "epochs = 4\nlabel_smoothing = 1.0", r"label_smoothing .* must be less than 1"),
    "negative seed": ("epochs = 4", "epochs = 4\nseed = -1", r"compressor\.seed \(=-1\) must be greater"),
    "negative tests": ("epochs = 4", "epochs = 4\neval_epoch = -1", r"eval_epoch \(=-1\) must be greater"),
    "infinite rate": ("epochs = 4", "epochs = 4\nlr = inf", r"compressor\.lr \(=inf\) must be a finite number"),
    "plugins in no list": (
        "epochs = 4",
        'epochs = 4\nplugins = "my.py"',
        r"plugins \(='my\.py'\) must be a valid list",
    ),
    "a plugin of 3": ("epochs = 4", "epochs = 4\nplugins = [3]", r"plugins\.0 \(=3\) must be a valid string"),
    "no such plugin": (
        "epochs = 4",
        'epochs = 4\nplugins = ["my.py"]',
        r"plugins \(='my\.py'\): there is no Python file",
    ),
    "class of a number": ('class = "QuantizationStrategy"', "class = 8", r"quant\.class \(=8\) is unknown; there are "),
    "no strategies": ("[compressor]", "strategies = 3\n[compressor]", r"Cannot (mutate|declare|overwrite)"),
    "a table twice": ("[strategies.quant]", "[strategies.prune]", r"mine\.toml: Cannot declare"),
    "a list of strategies": ("[strategies.quant]", "[[strategies.quant]]", r"quant \(=\[\{.*must be a table"),
    "rate of 0": ("start_epoch = 2", "lr = 0.0", r"quant\.lr \(=0\.0\) must be greater than 0"),
    "half an epoch": ("start_epoch = 2", "start_epoch = 1.5", r"quant\.start_epoch \(=1\.5\) must be a valid integer"),
    "negative end": ("start_epoch = 2", "end_epoch = -2", r"quant\.end_epoch \(=-2\) must be greater"),
    "one bit": ("start_epoch = 2", "activation_bits = 1", r"quant\.activation_bits \(=1\) must be greater"),
    "unknown weights": (
        "start_epoch = 2",
        'weight_quantize_type = "channel_abs_max"',
        r"mean 'channel_wise_abs_max'\?",
    ),
    "all of it": ("target_ratio = 0.5", "target_ratio = 1.5", r"prune\.target_ratio \(=1\.5\) must be less than 1"),
    "none of it": ("target_ratio = 0.5", "target_ratio = 0", r"prune\.target_ratio \(=0\) must be greater than 0"),
    "no width": ("target_ratio = 0.5", "round_to = 0", r"prune\.round_to \(=0\) must be greater"),
    "fewer than no batches": (
        "target_ratio = 0.5",
        "recalibration_batches = -1",
        r"recalibration_batches \(=-1\) must",
    ),
    "a delta of 1": (UNIFORM, SENSITIVE + "delta_rate = 1.0", r"prune\.delta_rate \(=1\.0\) must be less"),
    "no step": (UNIFORM, SENSITIVE + "num_steps = 0", r"prune\.num_steps \(=0\) must be greater"),
    "too many steps": (
        UNIFORM,
        SENSITIVE + "end_epoch = 2\nnum_steps = 3",
        r"num_steps \(=3\) must be at most 2: a step",
    ),
    "steps past the end": (UNIFORM, SENSITIVE + "num_steps = 9", r"prune changes the model in epoch 8; the last"),
    "no images": (UNIFORM, SENSITIVE + "eval_rate = 0.0", r"prune\.eval_rate \(=0\.0\) must be greater"),
    "another metric": (UNIFORM, SENSITIVE + 'metric_name = "top5"', r"metric_name \(='top5'\) must be 'top1'"),
    "least above most": (
        UNIFORM,
        AUTO + "min_ratio = 0.8",
        r"max_ratio \(=0\.7\) must be at least min_ratio \(=0\.8\)",
    ),
    "search that ends": (UNIFORM, AUTO + "end_epoch = 3", r"end_epoch \(=3\) must be left out, or be start_epoch"),
    "no trials": (UNIFORM, AUTO + "max_iter_number = 0", r"max_iter_number \(=0\) must be greater"),
    "rising temperature": (UNIFORM, AUTO + "reduce_rate = 1.5", r"reduce_rate \(=1\.5\) must be less"),
    "below zero": (UNIFORM, AUTO + "init_temperature = -1.0", r"init_temperature \(=-1\.0\) must be greater"),
    "one token": (UNIFORM, AUTO + "uniform_range = 1", r"uniform_range \(=1\) must be greater"),
    "a ratio of text": (
        UNIFORM,
        AUTO + 'init_ratios = {stem = "x"}',
        r"init_ratios\.stem \(='x'\) must be a valid number",
    ),
    "unlearning": (UNIFORM, AUTO + "retrain_epoch = -1", r"retrain_epoch \(=-1\) must be greater"),
    "field of another class": (UNIFORM, AUTO + "num_steps = 2", r"num_steps \(=2\) is unknown"),
    "two cuts in an epoch": (
        "[strategies.quant]",
        '[strategies.more]\nclass = "AutoPruneStrategy"\n[strategies.quant]',
        r"more changes the model in epoch 0, and so does strategies\.prune in epoch 0: one must have ended before",
    ),
    "a cut between the steps of another": (
        UNIFORM,
        SENSITIVE + 'num_steps = 2\nend_epoch = 2\n[strategies.more]\nclass = "UniformPruneStrategy"\nstart_epoch = 1',
        r"more changes the model in epoch 1, and so does strategies\.prune in epochs 0 to 1",
    ),
    "quantisation first": (
        "start_epoch = 2",
        'start_epoch = 0\n[strategies.late]\nclass = "AutoPruneStrategy"\nstart_epoch = 3',
        r"late changes the model in epoch 3, after strategies\.quant began to quantise it in epoch 0",
    ),
}

#: Where each field lies, and what its class needs beside it.
FIELDS = [
    *((CompressorSettings, field, "compressor") for field in CompressorSettings.model_fields),
    *(
        (kind, field, f"strategies.{kind.__name__.lower()}")
        for kind in (
            UniformPruneStrategy, SensitivePruneStrategy, AutoPruneStrategy, QuantizationStrategy, DistillationStrategy
        )
        for field in kind.model_fields
        if field != "name"
    ),
]  # fmt: skip


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Asks `tinyslim compress` for a config that must not get as far as a model; returns the lines on stderr."""
    monkeypatch.chdir(tmp_path)
    for work in ("shipped_model", "data_sets"):
        monkeypatch.setattr(compress_model, work, lambda *_: pytest.fail("work has begun"))

    def ask(text: str, *words: str) -> list[str]:
        (tmp_path / "mine.toml").write_text(text)
        assert main(["compress", "mine.toml", *words]) == 2
        assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]
        return [line.removeprefix("tinyslim: ") for line in capsys.readouterr().err.splitlines()]

    return ask


@pytest.mark.parametrize("fault", WRONG)
def test_each_wrong_config_is_refused_with_file_key_and_remedy(fault, refused):
    right, wrong, expected = WRONG[fault]
    assert right in GOOD
    lines = refused(GOOD.replace(right, wrong, 1))
    assert any(re.search(expected, line) for line in lines), lines
    assert all(line.startswith("mine.toml: ") for line in lines)


def test_the_config_that_faults_are_planted_in_is_good(tmp_path):
    (tmp_path / "mine.toml").write_text(GOOD)
    assert len(read_config(tmp_path / "mine.toml").strategies) == 2


def with_field(kind, field: str, value: str, key: str) -> str:
    """A config in which one field of `kind` has a value."""
    text = GOOD.replace("epochs = 4\n", "" if field == "epochs" else "epochs = 4\n").partition("[strategies.prune]")[0]
    head = "" if kind is CompressorSettings else f'[{key}]\nclass = "{kind.__name__}"\n'
    return f"{text.rstrip()}\n{head}{field} = {value}\n"


@pytest.mark.parametrize(("kind", "field", "key"), FIELDS, ids=lambda value: getattr(value, "__name__", value))
def test_each_field_refuses_another_type_by_its_name(kind, field, key, refused):
    (line,) = refused(with_field(kind, field, "1979-05-27", key))
    assert line.startswith(f"mine.toml: {key}.{field} (=datetime.date(1979, 5, 27)) must be ")


@pytest.mark.parametrize(("kind", "field", "key"), FIELDS, ids=lambda value: getattr(value, "__name__", value))
def test_each_field_is_named_to_whoever_misspells_it(kind, field, key, refused):
    lines = refused(with_field(kind, f"{field}_", "1", key))
    assert f"mine.toml: {key}.{field}_ (=1) is unknown; did you mean {field}?" in lines


def test_strategies_that_distil_may_share_epochs_with_all_others():
    distil = {"class": "DistillationStrategy"}
    cut, quant = {"class": "UniformPruneStrategy"}, {"class": "QuantizationStrategy"}
    tables = {"one": distil, "cut": cut, "two": distil, "quant": quant}
    assert len(read_config({"compressor": {"epochs": 1}, "strategies": tables}).strategies) == 4
