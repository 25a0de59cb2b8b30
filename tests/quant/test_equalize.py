import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinyslim.functional as F
from tinyslim import models, nn, no_grad, prune, quant, train
from tinyslim.graph import trace
from tinyslim.quant.equalization import Folded, equalizable_pairs, equalize_pair

SHAPE = (1, 16, 16, 1)
EXAMPLE = np.zeros(SHAPE, np.float32)


def disturbed(model, seed=0):
    """A network in use whose batch norms have done very different things to their channels."""
    rng = np.random.default_rng(seed)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            channels = len(layer.running_var)
            layer.running_var[...] = np.exp(rng.normal(0, 2, channels))
            layer.running_mean[...] = rng.normal(0, 0.3, channels)
            layer.weight.data[...], layer.bias.data[...] = rng.normal(1, 0.3, channels), rng.normal(0, 0.3, channels)
    return model.eval()


def mobilenet_v1(**settings):
    return models.mobilenet_v1(4, 0.125, in_channels=1, stem_stride=1, **settings)


def pruned_mobilenet():
    return prune.uniform(mobilenet_v1(), EXAMPLE, target_flops=0.4)


ZOO = {
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": lambda: models.mobilenet_v2(4, 0.25, in_channels=1, stem_stride=1),
    "resnet20": lambda: models.resnet20(4, in_channels=1),
    "resnet50": lambda: models.resnet50(4, 0.125, in_channels=1, stem_stride=1),
    "pruned": pruned_mobilenet,
}


@pytest.mark.parametrize("name", ZOO)
def test_an_equalised_network_computes_what_it_did(name, rng):
    net = disturbed(ZOO[name]()).astype(np.float64)
    x = rng.normal(size=(4, *SHAPE[1:]))
    equal = quant.equalize(net, EXAMPLE)
    assert not any(node.op == "batch_norm" for node in equal.graph)
    with no_grad():
        expected, found = net(x).data, equal(x).data
    np.testing.assert_allclose(found, expected, atol=1e-10 * np.abs(expected).max())


def test_every_layer_of_mobilenet_v1_is_in_a_pair_and_pairs_meet_in_one_range():
    net = disturbed(mobilenet_v1())
    equal = quant.equalize(net, EXAMPLE)
    pairs = equalizable_pairs(equal.graph)
    assert len(pairs) == 27  # between 27 convolutions and, through the pooling, the classifier
    for first, second in pairs:
        one, two = (
            Folded(equal.graph.layer(node).weight.data, None, node.op == "depthwise_conv2d") for node in (first, second)
        )
        np.testing.assert_allclose(one.output_range(), two.input_range(), rtol=0.01)


def test_per_tensor_weights_lose_less_after_equalisation(rng):
    net, x = disturbed(mobilenet_v1()), rng.normal(size=(16, *SHAPE[1:])).astype(np.float32)
    equal = quant.equalize(net, EXAMPLE)
    errors = []
    for model in (net, equal):
        with no_grad():
            answer = quant.calibrate(model, [x], weight_quantize_type="abs_max")(x).data
            errors.append(np.square(answer - net(x).data).mean())
    assert errors[1] < 0.5 * errors[0]


@given(st.integers(0, 2**31), st.booleans())
def test_one_pair_meets_in_the_geometric_mean_of_its_ranges(seed, depthwise):
    rng = np.random.default_rng(seed)
    first = Folded(rng.normal(size=(1, 1, 3, 5)) * np.exp(rng.normal(0, 3, 5)), rng.normal(size=5), False)
    second = Folded(rng.normal(size=(3, 3, 5) if depthwise else (3, 3, 5, 2)), rng.normal(size=5), depthwise)
    expected = np.sqrt(first.output_range() * second.input_range())
    equalize_pair(first, second)
    np.testing.assert_allclose(first.output_range(), expected)
    np.testing.assert_allclose(second.input_range(), expected)
    assert equalize_pair(first, second) < 1e-9


def test_a_dead_channel_keeps_its_weights(rng):
    net = nn.Sequential(nn.Conv2d(1, 3, 1, seed=1), nn.ReLU(), nn.Conv2d(3, 2, 1, seed=2)).eval()
    net.get("0").weight.data[..., 0] = 0
    net.get("2").weight.data[:, :, 1] = 0
    equal, x = quant.equalize(net, EXAMPLE), rng.normal(size=(2, *SHAPE[1:])).astype(np.float32)
    assert np.isfinite(equal.get("0").weight.data).all() and np.isfinite(equal.get("2").weight.data).all()
    np.testing.assert_array_equal(equal.get("2").weight.data[:, :, 0], net.get("2").weight.data[:, :, 0])
    np.testing.assert_allclose(equal(x).data, net(x).data, atol=1e-5)


class Between(nn.Module):
    """Two convolutions with something between."""

    def __init__(self, function):
        self.first, self.second, self.function = nn.Conv2d(1, 4, 3, seed=1), nn.Conv2d(4, 2, 1, seed=2), function

    def forward(self, x):
        return self.second(self.function(self.first(x)))


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (F.relu, 1),
        (lambda x: x, 1),
        (lambda x: F.max_pool2d(F.relu(x), 2), 1),
        (F.relu6, 0),
        (lambda x: F.clip(x, 0.0, 2.0), 0),
        (F.sigmoid, 0),
        (lambda x: x + F.relu(x), 0),
        (lambda x: F.concat([x, x], axis=-1)[..., :4], 0),
    ],
    ids=["relu", "nothing", "pool", "relu6", "clip", "sigmoid", "two users", "concat"],
)
def test_a_pair_has_nothing_between_but_what_commutes_with_a_factor(function, count):
    assert len(equalizable_pairs(trace(Between(function), EXAMPLE))) == count


def test_a_result_that_the_network_gives_out_is_no_ones_to_scale():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
    assert equalizable_pairs(trace(net, EXAMPLE)) == []


class Twice(nn.Module):
    def __init__(self):
        self.a, self.b = nn.Conv2d(1, 4, 1, seed=1), nn.Conv2d(4, 4, 1, seed=2)

    def forward(self, x):
        return self.b(F.relu(self.b(F.relu(self.a(x)))))


def test_a_layer_that_is_called_twice_stays_as_it_is(rng):
    net, x = Twice().eval(), rng.normal(size=(2, *SHAPE[1:])).astype(np.float32)
    equal = quant.equalize(net, EXAMPLE)
    np.testing.assert_array_equal(equal.b.weight.data, net.b.weight.data)
    np.testing.assert_allclose(equal(x).data, net(x).data, atol=1e-6)


def test_relu6_is_replaced_only_if_asked_and_then_pairs_appear(rng):
    net = disturbed(models.mobilenet_v2(4, 0.25, in_channels=1, stem_stride=1))
    kept, replaced = quant.equalize(net, EXAMPLE), quant.equalize(net, EXAMPLE, replace_relu6=True)
    assert sum(node.op == "relu6" for node in kept.graph) == sum(node.op == "relu6" for node in trace(net, EXAMPLE))
    assert not any(node.op == "relu6" for node in replaced.graph)
    assert len(equalizable_pairs(replaced.graph)) > len(equalizable_pairs(kept.graph)) + 30
    x = 1e-3 * rng.normal(size=(2, *SHAPE[1:])).astype(np.float32)  # so small that no value exceeds 6
    small = models.mobilenet_v2(4, 0.25, in_channels=1, stem_stride=1).eval()
    np.testing.assert_allclose(quant.equalize(small, EXAMPLE, replace_relu6=True)(x).data, small(x).data, atol=1e-5)


def test_the_model_stays_as_it_was_and_its_copy_keeps_preprocessing_and_file(tmp_path, rng):
    net = disturbed(mobilenet_v1())
    net.preprocessing = ((0.1,), (0.2,))
    before = {name: array.copy() for name, array in net.state_dict().items()}
    equal = quant.equalize(net, EXAMPLE, replace_relu6=True)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert equal.preprocessing == net.preprocessing
    train.save(equal, tmp_path / "equal.npz")
    x = rng.normal(size=(2, *SHAPE[1:])).astype(np.float32)
    np.testing.assert_array_equal(train.load(tmp_path / "equal.npz")(x).data, equal(x).data)


def test_a_prepared_model_is_refused():
    with pytest.raises(ValueError, match="fake quantisers"):
        quant.equalize(quant.prepare(mobilenet_v1(), EXAMPLE), EXAMPLE)
