"""Where quantisation hurts is told in numbers that can be checked by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import tinyslim
from tinyslim import nn, no_grad, quant
from tinyslim.quant.diagnosis import distribution, signal_to_noise


def images(n=16, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 8, 8, 1)).astype(np.float32)


def prepared(bits=8):
    rng = np.random.default_rng(0)
    net = nn.Sequential(
        nn.Conv2d(1, 6, 3, bias=False, seed=rng), nn.BatchNorm2d(6), nn.ReLU(), nn.DepthwiseConv2d(6, 3, seed=rng),
        nn.MaxPool2d(2), nn.GlobalAvgPool2d(), nn.Linear(6, 3, seed=rng),
    )  # fmt: skip
    model = quant.prepare(net, images(), weight_bits=bits, activation_bits=bits)
    with no_grad():
        model.train()(tinyslim.Tensor(images()))
    return model.eval()


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_uniform_noise_has_the_textbook_ratio(bits):
    """A full-scale uniform signal: 6.02 dB a bit, for an error that is uniform in half a step either way."""
    x = np.random.default_rng(0).uniform(0, 1, 100_000)
    step = 1 / 2**bits
    assert signal_to_noise(x - 0.5, np.rint((x - 0.5) / step) * step) == pytest.approx(6.02 * bits, abs=0.2)


def test_without_noise_or_signal_there_is_no_ratio():
    assert signal_to_noise(np.ones(3), np.ones(3)) is None
    assert signal_to_noise(np.zeros(3), np.ones(3)) is None


def test_the_distribution_shows_values_and_grid_and_counts_what_is_clipped():
    found = distribution(np.float32([-1, 0, 1, 2, 9]), low=0.0, high=2.0, step=0.5)
    assert sum(found.counts) == 5 and found.edges[0] == -1 and found.edges[-1] == 9
    assert found.clipped == pytest.approx(2 / 5)
    inside = distribution(np.float32([0.0, 2.2]), low=0.0, high=2.0, step=0.5)
    assert inside.clipped == 0  # it is rounded to the last level, not cut off


def test_fewer_bits_are_more_noise_in_every_layer():
    fine, coarse = (quant.diagnose(prepared(bits), images()) for bits in (8, 4))
    assert [layer.name for layer in fine.layers] == ["0", "3", "6"]
    for name in ("weight_noise", "input_noise", "output_noise"):
        for a, b in zip(fine.layers, coarse.layers, strict=True):
            assert getattr(a, name) > getattr(b, name) + 10
    assert fine.top1 is None and fine.layers[0].top1 is None


def test_only_the_chosen_layers_round():
    model, x = prepared(3), images()
    with no_grad():
        everything = model(x).data
        with quant.rounding_only(model, ()):
            nothing = model(x).data
        with quant.rounding_only(model, ("6",)):
            last = model(x).data
        again = model(x).data
        weight = model.get("6").rounded().data
        with quant.rounding_only(model, ()):
            features = model.results(tinyslim.Tensor(x))["5"].data
    np.testing.assert_array_equal(everything, again)
    assert len({array.tobytes() for array in (everything, nothing, last)}) == 3
    np.testing.assert_allclose(last, features @ weight + model.get("6").bias.data, rtol=1e-5)


def test_sensitivity_is_measured_with_one_layer_at_a_time():
    model, x, seen, done = prepared(3), images(), [], []

    def evaluate(network):
        seen.append(network(x).data)
        return float(len(seen))

    found = quant.diagnose(model, x, evaluate, on_layer=lambda *progress: done.append(progress))
    assert (found.float_top1, [layer.top1 for layer in found.layers], found.top1) == (1, [2, 3, 4], 5)
    assert len({logits.tobytes() for logits in seen}) == 5
    assert done == [(1, 3), (2, 3), (3, 3)]
    np.testing.assert_array_equal(seen[-1], model(x).data)


def test_a_planted_fault_stands_out():
    """A range a hundred times too wide leaves its layer next to no levels."""
    model = prepared()
    healthy = quant.diagnose(model, images())
    model.get("quantizers.2").memory[0] *= 100
    ill = quant.diagnose(model, images())
    fell = [a.input_noise - b.input_noise for a, b in zip(healthy.layers, ill.layers, strict=True)]
    assert fell[1] > 20 and abs(fell[0]) < 1
    model.get("quantizers.2").memory[0] /= 10_000
    assert quant.diagnose(model, images()).layers[1].inputs.clipped > 0.4


def test_the_ranges_are_the_ends_of_the_grids():
    model = prepared()
    ends = quant.ranges(model)
    assert set(ends) == {"quantizers.input", "quantizers.2", "quantizers.3", "quantizers.5"}
    low, high = ends["quantizers.2"]
    assert low == 0 and high == pytest.approx(model.get("quantizers.2").grid().scale * 255)
    assert ends["quantizers.input"][0] < 0


def test_all_numbers_go_into_json_and_the_table_names_all_layers():
    found = quant.diagnose(prepared(), images(), evaluate=lambda network: 0.5)
    numbers = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert math.isfinite(numbers["layers"][0]["weight_noise"]) and numbers["layers"][2]["weights"]["step"] == 1
    text = str(found)
    assert "depthwise_conv2d" in text and "+0.00" in text and len(text.splitlines()) == 5


def test_a_float_model_is_refused():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    model = tinyslim.graph.to_module(tinyslim.graph.trace(net, images()))
    with pytest.raises(ValueError, match="prepare or calibrate it first"):
        quant.diagnose(model, images())
