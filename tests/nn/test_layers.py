"""Layers: what each computes, its first weights, its copy from a configuration."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import tinyslim.functional as F
from tinyslim import Tensor, nn

LAYERS = [
    nn.Conv2d(2, 3, 3, stride=2, padding=(0, 1, 0, 1)),
    nn.Conv2d(2, 3, 1, bias=False),
    nn.DepthwiseConv2d(2, 3, padding="same"),
    nn.DepthwiseConv2d(2, 3, bias=False),
    nn.BatchNorm2d(2, momentum=0.3, eps=1e-3),
    nn.Linear(2, 4),
    nn.Linear(2, 4, bias=False),
    nn.ReLU(),
    nn.ReLU6(),
    nn.Sigmoid(),
    nn.Tanh(),
    nn.MaxPool2d(2),
    nn.AvgPool2d(3, 1, 1),
    nn.GlobalAvgPool2d(),
    nn.Flatten(),
    nn.Dropout(0.25, seed=3),
]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_layer_from_its_configuration_computes_the_same(layer, rng):
    config = json.loads(json.dumps(layer.config()))
    other = type(layer).from_config(config, layer.state_dict())
    x = rng.standard_normal((4, 2) if isinstance(layer, nn.Linear) else (2, 5, 5, 2)).astype(np.float32)
    for mode in (True, False):
        assert_array_equal(layer.train(mode)(x).data, other.train(mode)(x).data)
    assert other.config() == layer.config()


def test_layer_from_configuration_shares_no_buffer():
    layer = nn.BatchNorm2d(2)
    other = nn.BatchNorm2d.from_config(layer.config(), layer.state_dict())
    other.running_mean += 1
    assert_array_equal(layer.running_mean, [0, 0])


def test_batch_norm_keeps_statistics_as_torch_does(rng):
    layer, x = nn.BatchNorm2d(3, momentum=0.1), rng.standard_normal((4, 5, 5, 3)).astype(np.float32)
    y = layer(x).data
    assert_allclose(layer.running_mean, 0.1 * x.mean((0, 1, 2)), rtol=1e-4)
    assert_allclose(layer.running_var, 0.9 + 0.1 * x.var((0, 1, 2), ddof=1), rtol=1e-5)
    assert_allclose([y.mean((0, 1, 2)), y.var((0, 1, 2))], [[0] * 3, [1] * 3], atol=1e-4)
    before = layer.running_mean.copy()
    layer.eval()(x)
    assert_array_equal(layer.running_mean, before)


def test_dropout_drops_its_share_and_keeps_the_mean():
    y = nn.Dropout(0.2)(np.ones((100, 1000))).data
    assert_allclose([(y == 0).mean(), y.mean()], [0.2, 1.0], atol=0.01)


def test_dropout_draws_anew_at_each_call_and_the_same_from_one_seed():
    x = np.ones((8, 8))
    first, second = nn.Dropout(0.5, seed=1), nn.Dropout(0.5, seed=1)
    draws = [first(x).data for _ in range(3)]
    assert not np.array_equal(draws[0], draws[1])
    for draw in draws:
        assert_array_equal(second(x).data, draw)
    assert not np.array_equal(nn.Dropout(0.5, seed=2)(x).data, draws[0])


def test_dropout_goes_on_from_its_state_where_it_stopped():
    x, layer, other = np.ones((8, 8)), nn.Dropout(0.5), nn.Dropout(0.5)
    layer(x)
    layer.eval()(x)
    other.load_state_dict(layer.state_dict())
    assert_array_equal(other(x).data, layer.train()(x).data)


def test_dropout_does_nothing_in_use():
    assert_array_equal(nn.Dropout(0.9).eval()(np.ones(50)).data, np.ones(50))


def test_first_weights_keep_the_signals_size(rng):
    x = rng.standard_normal((4, 16, 16, 64)).astype(np.float32)
    for layer in (nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.DepthwiseConv2d(64, 3, padding=1, bias=False)):
        # A ReLU halves the second moment, the weights' variance of 2/fan_in doubles it.
        assert_allclose((F.relu(layer(x)).data ** 2).mean(), 1, atol=0.25)
    weight = nn.Linear(100, 300).weight.data
    assert np.abs(weight).max() <= 0.1
    assert_allclose(weight.var(), 0.01 / 3, rtol=0.05)


def test_seed_and_generator_decide_the_first_weights():
    assert_array_equal(nn.Linear(3, 3, seed=4).weight.data, nn.Linear(3, 3, seed=4).weight.data)
    rng = np.random.default_rng(4)
    first, second = nn.Linear(3, 3, seed=rng), nn.Linear(3, 3, seed=rng)
    assert_array_equal(first.weight.data, nn.Linear(3, 3, seed=4).weight.data)
    assert not np.array_equal(first.weight.data, second.weight.data)


def test_weights_and_gradients_are_float32_by_default():
    layer = nn.Conv2d(1, 2, 3)
    layer(np.ones((1, 3, 3, 1), np.float32)).sum().backward()
    assert {layer.weight.dtype, layer.bias.dtype, layer.weight.grad.dtype} == {np.dtype(np.float32)}
    assert isinstance(layer.weight, Tensor)


def test_pooling_stride_is_its_size_unless_it_is_given():
    x = np.zeros((1, 6, 6, 1))
    assert nn.MaxPool2d(3)(x).shape == nn.AvgPool2d(3)(x).shape == (1, 2, 2, 1)
    assert nn.MaxPool2d(3, stride=1)(x).shape == (1, 4, 4, 1)
    with pytest.raises(ValueError, match=r"`stride` \(=0\) must be at least 1"):
        nn.MaxPool2d(3, stride=0)(x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Conv2d(0, 2, 3), r"`cin` \(=0\) must be a whole number of at least 1"),
        (lambda: nn.Conv2d(2, 2.5, 3), r"`cout` \(=2\.5\)"),
        (lambda: nn.Conv2d(2, 2, 3, stride=0), r"`stride` \(=0\)"),
        (lambda: nn.DepthwiseConv2d(2, 0), r"`size` \(=0\)"),
        (lambda: nn.Linear(-1, 2), r"`inputs` \(=-1\)"),
        (lambda: nn.BatchNorm2d(0), r"`channels` \(=0\)"),
        (lambda: nn.Dropout(1.0), r"`p` \(=1\.0\) must be at least 0 and below 1"),
    ],
)
def test_impossible_size_is_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()
