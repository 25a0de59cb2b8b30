"""Strategies of a user's own come from files that a config names; `examples/` holds one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tinyslim.compress import Compressor, ConfigError, load_plugin, read_config

EXAMPLES = Path(__file__).parents[2] / "examples"
OWN = """
from tinyslim.compress import Strategy, register
@register
class {name}(Strategy):
    word: str = "hey"
"""
TOML = """
[compressor]
epochs = 1
plugins = ["own.py"]
[strategies.own]
class = "{name}"
word = "ho"
"""


@pytest.fixture
def written(tmp_path):
    def write(name: str, source: str = OWN):
        (tmp_path / "own.py").write_text(source.format(name=name))
        (tmp_path / "own.toml").write_text(TOML.format(name=name))
        return tmp_path / "own.toml"

    return write


def test_the_example_averages_the_weights_that_training_went_through(trained, train_set, test_set, tmp_path):
    steps = []

    def on_batch_end(context):
        steps.append({name: array.copy() for name, array in context.model.state_dict().items()})

    config = read_config(EXAMPLES / "my_strategy.toml", [("compressor.epochs", 3), ("compressor.batch_size", 32)])
    result = Compressor(trained, train_set, test_set, config, out=tmp_path, callbacks=[on_batch_end], quiet=True).run()
    # Three steps an epoch; the average begins with the first of the second epoch.
    average = steps[3]
    for step in steps[4:]:
        average = {name: 0.99 * average[name] + 0.01 * array for name, array in step.items()}
    for name, array in result.model.state_dict().items():
        assert np.allclose(array, average[name], atol=1e-6)
    assert any((array != steps[-1][name]).any() for name, array in result.model.state_dict().items())


def test_the_example_is_one_page():
    assert len((EXAMPLES / "my_strategy.py").read_text().splitlines()) <= 60
    assert len((EXAMPLES / "my_strategy.toml").read_text().splitlines()) <= 40


def test_plugins_lie_beside_the_config_wherever_that_is_read_from(written, tmp_path, monkeypatch):
    path = written("Beside")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    config = read_config(path)
    assert config.strategies[0].word == "ho"
    assert config.settings.plugins == [str(tmp_path / "own.py")]
    (tmp_path / "elsewhere" / "config.json").write_text(config.as_json())
    assert read_config(tmp_path / "elsewhere" / "config.json").as_dict() == config.as_dict()


def test_a_plugin_that_changed_is_read_again_and_one_that_did_not_is_kept(written):
    first = type(read_config(written("Changing")).strategies[0])
    assert type(read_config(written("Changing")).strategies[0]) is first
    second = type(read_config(written("Changing", OWN + "    times: int = 2\n")).strategies[0])
    assert "times" in second.model_fields and "times" not in first.model_fields


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("class {name}(:\n", r"own\.toml: compressor\.plugins \(='own\.py'\): .*own\.py' ends in SyntaxError"),
        ("import nowhere_at_all", r"own\.py' ends in ModuleNotFoundError: No module named 'nowhere_at_all'"),
        (OWN.replace("{name}", "QuantizationStrategy"), r"ends in ValueError: `strategy` \(=QuantizationStrategy\) is"),
        ("", r"strategies\.own\.class \(='Faulty'\) is unknown"),
    ],
    ids=("syntax", "import", "taken", "empty"),
)
def test_a_plugin_that_fails_is_a_line(source, message, written):
    with pytest.raises(ConfigError, match=message):
        read_config(written("Faulty", source))


def test_a_plugin_that_is_not_there_is_a_line(written, tmp_path):
    path = written("Gone")
    (tmp_path / "own.py").unlink()
    with pytest.raises(ConfigError, match=r"compressor\.plugins \(='own\.py'\): there is no Python file '.*own\.py'"):
        read_config(path)
    with pytest.raises(ValueError, match="there is no Python file"):
        load_plugin(tmp_path / "own.toml")


def test_a_run_is_not_resumed_with_another_plugin(trained, train_set, test_set, written, tmp_path):
    def stop(context):
        raise KeyboardInterrupt

    stop.__name__ = "on_epoch_end"
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        Compressor(trained, train_set, test_set, written("Other"), out=out, callbacks=[stop], quiet=True).run()
    config = written("Other", OWN + "    times: int = 2\n")
    with pytest.raises(
        ValueError, match=r"another run: compressor\.plugins was \['own\.py, sha256 [0-9a-f]{16}'\], now"
    ):
        Compressor(trained, train_set, test_set, config, out=out, resume=True, quiet=True).run()
