import numpy as np
import pytest

import tinyslim.functional as F
from tinyslim import nn, no_grad, quant
from tinyslim.quant.bias_correction import ends_of_layers, mean


def images(rng, n=32):
    return rng.normal(0.5, 1, size=(n, 10, 10, 1)).astype(np.float32)


class Branching(nn.Module):
    """A residual sum, batch norm on one side only, a layer without a bias, and one that is called twice."""

    def __init__(self):
        seed = np.random.default_rng(1)
        self.stem, self.norm = nn.Conv2d(1, 8, 3, padding=1, bias=False, seed=seed), nn.BatchNorm2d(8)
        self.depthwise = nn.DepthwiseConv2d(8, 3, padding=1, bias=False, seed=seed)
        self.twice = nn.Conv2d(8, 8, 1, seed=seed)
        self.last = nn.Linear(8, 4, seed=seed)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x)))
        x = self.twice(F.relu(self.twice(x + self.depthwise(x))))
        return self.last(F.global_avg_pool2d(F.relu(x)))


def means(model, x):
    """The mean of each channel before the activation of each layer, by name."""
    with no_grad():
        results = model.results(x)
    return {name: mean(results[name].data) for name in ends_of_layers(model.graph)}


def plain_module(model):
    from tinyslim.graph import to_module, trace

    return to_module(trace(model, np.zeros((1, 10, 10, 1), np.float32)))


def test_every_layer_has_the_float_networks_means_afterwards(rng):
    net, x = Branching().eval(), images(rng)
    calibrated = quant.calibrate(net, [x], weight_bits=3)
    expected = means(plain_module(net), x)
    assert set(expected) == {"norm", "depthwise", "last"}
    before = means(calibrated, x)
    quant.correct_bias(calibrated, net, [x[:20], x[20:]])
    after = means(calibrated, x)
    for name, value in expected.items():
        assert np.abs(before[name] - value).max() > 1e-3
        np.testing.assert_allclose(after[name], value, atol=2e-5)


def test_a_network_that_loses_nothing_keeps_its_biases(rng):
    # Weights and images of whole numbers, ranges that are the grids' own: rounding changes nothing.
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.GlobalAvgPool2d(), nn.Linear(2, 2)).eval()
    for layer in (net.get("0"), net.get("2")):
        layer.weight.data[...] = np.where(np.arange(layer.weight.size).reshape(layer.weight.shape) % 2, 127, -127)
    x = np.full((4, 3, 3, 1), 127.0, np.float32)
    calibrated = quant.calibrate(net, [x])
    quant.correct_bias(calibrated, net, [x])
    for path in ("0", "2"):
        np.testing.assert_allclose(calibrated.get(path).bias.data, net.get(path).bias.data, atol=0.6)


def test_correction_brings_four_bit_weights_nearer_to_the_float_network(rng):
    net, x, other = Branching().eval(), images(rng), images(rng)
    plain, corrected = (quant.calibrate(net, [x], weight_bits=4, bias_correction=on) for on in (False, True))
    with no_grad():
        expected = net(other).data
        errors = [np.square(model(other).data - expected).mean() for model in (plain, corrected)]
    assert errors[1] < 0.8 * errors[0]


def test_batches_are_weighted_by_their_images(rng):
    net, x = Branching().eval(), images(rng)
    one, parts = (quant.calibrate(net, [x]) for _ in range(2))
    quant.correct_bias(one, net, [x])
    quant.correct_bias(parts, net, (part for part in (x[:1], x[1:])))
    for name, array in one.state_dict().items():
        np.testing.assert_allclose(parts.state_dict()[name], array, atol=1e-5)


def test_a_model_in_training_stays_in_training_and_its_ranges_stand_still(rng):
    net, x = Branching().eval(), images(rng)
    calibrated = quant.calibrate(net, [x])
    memory = calibrated.get("quantizers.input").memory.copy()
    quant.correct_bias(calibrated.train(), net, [3 * x])
    assert all(module.training for module in calibrated.modules())
    np.testing.assert_array_equal(calibrated.get("quantizers.input").memory, memory)


def test_another_network_is_refused_by_what_only_one_of_them_has(rng):
    x = images(rng, 2)
    calibrated = quant.calibrate(Branching(), [x])
    with pytest.raises(ValueError, match="only one of them has 0, depthwise, last, norm"):
        quant.correct_bias(calibrated, nn.Sequential(nn.Conv2d(1, 2, 3)), [x])


def test_no_batches_are_refused(rng):
    with pytest.raises(ValueError, match="`batches` is empty"):
        quant.correct_bias(quant.calibrate(Branching(), [images(rng, 2)]), Branching(), [])


def test_a_mean_that_is_not_finite_is_refused_by_name(rng):
    net, x = Branching().eval(), images(rng, 2)
    calibrated = quant.calibrate(net, [x])
    net.depthwise.weight.data[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="the mean of depthwise is not finite"):
        quant.correct_bias(calibrated, net, [x])
