from __future__ import annotations

import numpy as np
import pytest

import tinyslim.functional as F
from tinyslim import Tensor, graph, models, nn, no_grad, prune
from tinyslim.prune.rules import RULES

RNG = np.random.default_rng(5)
IMAGES = RNG.standard_normal((2, 6, 6, 3))


def lively(model: nn.Module) -> nn.Module:
    """Eval mode, float64, and batch norms whose numbers all differ."""
    rng = np.random.default_rng(7)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for array in (layer.weight.data, layer.bias.data, layer.running_mean, layer.running_var):
                array += rng.random(array.shape, np.float32)
    return model.astype(np.float64).eval()


def zeroed(x: Tensor, gone: list[int]) -> Tensor:
    """`x` with 0 in these channels, written without anything from the package under test."""
    stay = np.ones(x.shape[-1])
    stay[gone] = 0
    return Tensor(x.data * stay)


def run(model: nn.Module, images: np.ndarray) -> np.ndarray:
    with no_grad():
        return model(images).data


def test_a_cut_chain_equals_the_chain_with_zeroed_channels():
    net = lively(
        nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Sigmoid(), nn.DepthwiseConv2d(6, 3, padding=1),
            nn.Flatten(), nn.Linear(96, 5), nn.ReLU(), nn.Linear(5, 2),
        )
    )  # fmt: skip
    smaller = prune.cut(net, IMAGES, {"0": [1, 2, 5], "5": [4, 0]})
    with no_grad():
        x = zeroed(net[3](net[2](net[1](net[0](Tensor(IMAGES))))), [0, 3, 4])
        expected = net[7](zeroed(net[6](net[5](net[4](x))), [1, 2, 3])).data
    np.testing.assert_allclose(run(smaller, IMAGES), expected, rtol=1e-12)
    shapes = [tensor.shape for tensor in smaller.parameters()]
    assert shapes == [(3, 3, 3, 3), (3,), (3,), (3,), (3, 3, 3), (3,), (48, 2), (2,), (2, 2), (2,)]


def test_a_cut_residual_and_concat_equal_those_with_zeroed_channels():
    class Joined(nn.Module):
        def __init__(self):
            rng = np.random.default_rng(0)
            self.a, self.b = nn.Conv2d(3, 4, 3, padding=1, seed=rng), nn.Conv2d(3, 4, 1, seed=rng)
            self.c = nn.Conv2d(3, 5, 1, seed=rng)
            self.last = nn.Conv2d(9, 2, 1, seed=rng)

        def forward(self, x, hide=lambda x: x):
            return self.last(hide(F.concat([F.relu(self.a(x) + self.b(x)), self.c(x)])))

    net = lively(Joined())
    smaller = prune.cut(net, IMAGES, {"a": [0, 3], "c": [1, 2, 3]})
    expected = net.forward(Tensor(IMAGES), lambda x: zeroed(x, [1, 2, 4, 8])).data
    np.testing.assert_allclose(run(smaller, IMAGES), expected, rtol=1e-12)
    assert type(smaller) is Joined
    assert smaller.last.weight.shape == (1, 1, 5, 2)


def test_the_original_and_what_it_carries_stay():
    model = models.resnet20().eval()
    model.preprocessing = ((0.5,) * 3, (0.25,) * 3)
    before = {name: array.copy() for name, array in model.state_dict().items()}
    smaller = prune.cut(model, np.zeros((1, 32, 32, 3)), {"conv": np.arange(5)})
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())
    assert type(smaller) is type(model)
    assert (smaller.preprocessing, smaller.input_shape) == (model.preprocessing, (32, 32, 3))
    assert not any(module.training for module in smaller.modules())
    assert all(module.training for module in prune.cut(model.train(), np.zeros((1, 32, 32, 3)), {}).modules())


def test_gradients_of_the_widths_before_are_forgotten():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))
    net(IMAGES.astype(np.float32)).sum().backward()
    assert all(tensor.grad is None for tensor in prune.cut(net, IMAGES, {"0": [1]}).parameters())
    assert net[0].weight.grad is not None


def test_a_graph_module_stays_one_and_knows_its_new_widths():
    images = np.zeros((1, 32, 32, 3), np.float32)
    running = graph.to_module(graph.trace(models.resnet20(), images))
    smaller = prune.cut(running, images, {"conv": [0, 2, 4]})
    assert isinstance(smaller, graph.GraphModule)
    assert smaller.graph["conv"].shape[-1] == 3
    assert running.graph["conv"].shape[-1] == 16
    assert sum(node.macs for node in smaller.graph) == graph.summary(smaller, images).macs


def test_a_layer_called_twice_and_a_tensor_shared_by_two_layers_are_cut_once():
    class Shared(nn.Module):
        def __init__(self):
            rng = np.random.default_rng(0)
            self.first, self.again = nn.Conv2d(3, 4, 1, seed=rng), nn.Conv2d(4, 4, 1, seed=rng)
            self.twin = nn.Conv2d(4, 4, 1, seed=rng)
            self.twin.weight = self.again.weight
            self.last = nn.Conv2d(4, 2, 1, seed=rng)

        def forward(self, x, hide=lambda x: x):
            x = hide(F.relu(self.first(x)))
            for layer in (self.again, self.again, self.twin):
                x = hide(layer(x))
            return self.last(x)

    net = lively(Shared())
    smaller = prune.cut(net, IMAGES, {"first": [1, 3]})
    expected = net.forward(Tensor(IMAGES), lambda x: zeroed(x, [0, 2])).data
    np.testing.assert_allclose(run(smaller, IMAGES), expected, rtol=1e-12)
    assert smaller.twin.weight is smaller.again.weight
    assert smaller.twin.bias.shape == (2,)


def test_functional_convolution_and_batch_norm_are_cut():
    class Functional(nn.Module):
        def __init__(self):
            inner = nn.Conv2d(3, 4, 3)
            self.kernel, self.gamma, self.beta = inner.weight, Tensor(np.ones(4)), Tensor(np.arange(4.0))
            self.mean, self.var = np.arange(4.0), np.arange(1.0, 5)
            self.last = nn.Conv2d(4, 2, 1)

        def forward(self, x, hide=lambda x: x):
            x = F.conv2d(x, self.kernel)
            return self.last(hide(F.batch_norm(x, self.gamma, self.beta, self.mean, self.var, training=False)))

    net = lively(Functional())
    smaller = prune.cut(net, IMAGES, {"kernel": [0, 3]})
    np.testing.assert_allclose(run(smaller, IMAGES), net.forward(Tensor(IMAGES), lambda x: zeroed(x, [1, 2])).data)
    assert (smaller.kernel.shape, smaller.mean.tolist()) == ((3, 3, 3, 2), [0, 3])


def flat_net() -> nn.Module:
    return lively(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(64, 3)))


def test_a_wrong_order_of_flattened_rows_is_caught(monkeypatch):
    def wrong(channels, node):
        return np.repeat(channels.of(node.arguments[0]), 16)

    monkeypatch.setitem(RULES, "flatten", wrong)
    with pytest.raises(
        prune.PruningMismatchError, match=r"not the masked one, first at node '1' \(flatten\), by up to"
    ):
        prune.cut(flat_net(), IMAGES, {"0": [0, 2]})


def test_wrong_inputs_of_the_next_layer_are_caught(monkeypatch):
    monkeypatch.setitem(RULES, "relu", lambda channels, node: channels.of(node.arguments[0])[::-1])
    net = lively(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3)))
    with pytest.raises(prune.PruningMismatchError, match=r"first at node '1' \(relu\)"):
        prune.cut(net, IMAGES, {"0": [0, 1]})


def test_an_add_that_does_not_tie_its_branches_is_caught(monkeypatch):
    monkeypatch.setitem(RULES, "add", lambda channels, node: channels.of(node.arguments[0]))
    with pytest.raises(
        prune.PruningMismatchError, match=r"first at node 'add' \(add\), which does not run: .*broadcast"
    ):
        prune.cut(models.resnet20(), np.zeros((1, 32, 32, 3)), {"conv": [0, 1]})


def test_a_width_that_forward_holds_as_a_number_is_caught():
    class Stubborn(nn.Module):
        def __init__(self):
            self.first, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1)

        def forward(self, x):
            x = self.first(x)
            if x.shape[-1] != 4:
                raise ValueError("four channels or none")
            return self.last(x)

    with pytest.raises(prune.PruningMismatchError, match="does `forward` hold a width as a number") as caught:
        prune.cut(Stubborn(), IMAGES, {"first": [0]})
    assert "four channels" in str(caught.value.__cause__)


@pytest.mark.parametrize("kept", [[], [0, 0], [-1], [4], [0.5], [[0]], [True, False, True, True]])
def test_channels_to_keep_must_be_different_numbers_of_the_group(kept):
    with pytest.raises(ValueError, match=r"`keep\['0'\]` .* must be different whole numbers from 0 to 3, at least one"):
        prune.cut(flat_net(), IMAGES, {"0": kept})


def test_an_unknown_group_is_named():
    with pytest.raises(ValueError, match="no group is named 'stem'; there are 0"):
        prune.cut(flat_net(), IMAGES, {"stem": [0]})
