import numpy as np
import pytest

from tinyslim import models, nn, quant, train
from tinyslim.graph import trace
from tinyslim.quant.bits_table import LayerBits, bits_of_layers, read_table

EXAMPLE = np.zeros((1, 16, 16, 1), np.float32)


def net():
    return models.mobilenet_v1(4, 0.125, in_channels=1, stem_stride=1)


def bits(entries):
    return bits_of_layers(trace(net(), EXAMPLE), {"layers": entries}, LayerBits())


def test_what_the_table_leaves_out_has_the_default():
    assert set(bits({}).values()) == {LayerBits(8, 8, "channel_wise_abs_max", False)}
    found = bits({"classifier": {"weight_bits": 4}})
    assert found["classifier"] == LayerBits(weight_bits=4)
    assert found["stem.conv"] == LayerBits()


def test_a_module_stands_for_all_layers_in_it_and_a_pattern_for_all_it_fits():
    found = bits({"blocks.3": {"weight_bits": 5}, "blocks.*.pointwise": {"activation_bits": 6}})
    assert (found["blocks.3.depthwise"].weight_bits, found["blocks.3.pointwise.conv"].weight_bits) == (5, 5)
    assert [found[f"blocks.{i}.pointwise.conv"].activation_bits for i in range(13)] == [6] * 13
    assert found["blocks.4.depthwise"] == LayerBits()


def test_a_name_does_not_fit_what_only_begins_with_it():
    found = bits({"blocks.1": {"weight_bits": 4}})
    assert {name for name, one in found.items() if one.weight_bits == 4} == {
        "blocks.1.depthwise", "blocks.1.pointwise.conv"
    }  # fmt: skip


def test_later_entries_win_key_by_key():
    found = bits({"*": {"weight_bits": 4, "activation_bits": 6}, "stem": {"weight_bits": 8}})
    assert found["stem.conv"] == LayerBits(8, 6)
    assert found["classifier"] == LayerBits(4, 6)
    assert found["pool"].activation_bits == 6


def test_a_file_says_what_a_dict_does(tmp_path):
    path = tmp_path / "bits.toml"
    path.write_text('[layers."blocks.*.pointwise"]\nweight_bits = 4\n\n[layers.classifier]\nfloat = true\n')
    assert read_table(path) == read_table(str(path))
    assert bits_of_layers(trace(net(), EXAMPLE), path, LayerBits()) == bits(
        {"blocks.*.pointwise": {"weight_bits": 4}, "classifier": {"float": True}}
    )


def test_the_prepared_model_has_the_bits_of_the_table(tmp_path):
    entries = {
        "stem": {"weight_bits": 3, "weight_quantize_type": "abs_max", "activation_bits": 5},
        "classifier": {"float": True},
        "input": {"activation_bits": 6},
    }
    table = {"layers": entries}
    for prepared in (quant.prepare(net(), EXAMPLE, table=table), quant.calibrate(net(), [EXAMPLE], table=table)):
        stem = prepared.get("stem.conv")
        assert (stem.weight_bits, stem.weight_quantize_type) == (3, "abs_max")
        assert prepared.get("quantizers.stem_relu").bits == 5
        assert prepared.get("quantizers.input").bits == 6
        assert prepared.get("blocks.0.depthwise").weight_bits == 8
        assert type(prepared.get("classifier")) is nn.Linear
        train.save(prepared, tmp_path / "p.npz")
        assert type(train.load(tmp_path / "p.npz").get("classifier")) is nn.Linear


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"classifer": {"weight_bits": 4}}, r'layers."classifer" fits no layer; did you mean \'classifier\'\?'),
        ({"blocks.*.pintwise": {"weight_bits": 4}}, r'layers."blocks.\*.pintwise" fits no layer'),
        ({"pool": {"float": True}}, r'layers."pool" has no weight, so float means nothing there'),
        ({"input": {"weight_bits": 4}}, r'layers."input" has no weight, so weight_bits means nothing there'),
        ({"stem": {"weight_bits": 9}}, r"has weight_bits \(=9\), expected a whole number from 2 to 8"),
        ({"stem": {"activation_bits": True}}, r"has activation_bits \(=True\)"),
        ({"stem": {"float": 1}}, r"has float \(=1\), expected true or false"),
        ({"stem": {"weight_quantize_type": "abs"}}, "has weight_quantize_type .*, expected one of"),
        ({"stem": {"flaot": True}}, r"has no key 'flaot'; did you mean 'float'\?"),
        ({"stem": {"float": True, "weight_bits": 4}}, "is to stay in float32, and says how its weight is rounded"),
        ({"stem": 4}, r'layers."stem" \(=4\) must be a table'),
    ],
)
def test_a_wrong_entry_is_refused_by_name(entries, message):
    with pytest.raises(ValueError, match=message):
        bits(entries)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ValueError) as error:
        bits({"stemm": {"weight_bits": 4}, "blocks.77": {"weight_bits": 4}})
    assert str(error.value).count("\n") == 1


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        ({"layer": {}}, ValueError, r"there is no 'layer'; did you mean 'layers'\?"),
        ({"layers": 3}, ValueError, r"layers \(=3\) must be tables"),
        (3, TypeError, r"`table` \(=3\) must be a path"),
        ("nowhere.toml", FileNotFoundError, "nowhere.toml"),
    ],
)
def test_a_table_that_is_none_is_refused(table, error, message):
    with pytest.raises(error, match=message):
        read_table(table)


def test_a_file_that_is_no_toml_is_refused_by_its_name(tmp_path):
    path = tmp_path / "bits.toml"
    path.write_text("[layers")
    with pytest.raises(ValueError, match=r"bits\.toml: "):
        read_table(path)
