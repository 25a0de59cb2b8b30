"""Results from inside a network, by path, whatever became of the network."""

from __future__ import annotations

import numpy as np
import pytest

import tinyslim.functional as F
from tinyslim import graph, nn, prune, quant, train


class Shortcut(nn.Module):
    """A block whose result no layer returns."""

    def __init__(self, channels: int, seed: int):
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, seed=seed)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        return F.relu(self.norm(self.conv(x)) + x)


class Doubled(nn.Module):
    """A network in which one layer is called twice, and one never."""

    def __init__(self):
        self.relu, self.linear, self.unused = nn.ReLU(), nn.Linear(3, 3), nn.ReLU()

    def forward(self, x):
        return self.relu(self.linear(self.relu(x)))


@pytest.fixture
def net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, seed=1),
        nn.Sequential(Shortcut(8, 2), Shortcut(8, 3)),
        nn.GlobalAvgPool2d(),
        nn.Linear(8, 3),
    ).eval()


@pytest.fixture
def images(rng) -> np.ndarray:
    return rng.standard_normal((2, 8, 8, 1)).astype(np.float32)


PATHS = ["0", "1", "1.0", "1.0.norm", "1.1"]


def tapped(model, x, paths=PATHS) -> dict[str, np.ndarray]:
    with graph.taps(model, paths) as maps:
        model(x)
    return {path: tensor.data for path, tensor in maps.items()}


def test_a_tap_is_what_the_module_returned(net, images):
    maps = tapped(net, images)
    assert np.array_equal(maps["0"], net.get("0")(images).data)
    assert np.array_equal(maps["1.0"], net.get("1.0")(maps["0"]).data)
    assert np.array_equal(maps["1"], maps["1.1"])


def test_the_same_paths_hold_in_the_running_graph_and_after_a_file(net, images, tmp_path):
    expected = tapped(net, images)
    running = train.canonical(net, images[:1]).eval()
    train.save(net, tmp_path / "model.npz", images[:1])
    for model in (running, train.load(tmp_path / "model.npz"), graph.to_module(graph.trace(running, images[:1]))):
        maps = tapped(model, images)
        assert all(np.array_equal(maps[path], expected[path]) for path in PATHS)


def test_the_same_paths_hold_after_pruning_and_with_fake_quantisers(net, images):
    smaller = train.canonical(prune.uniform(train.canonical(net, images[:1]), images[:1], 0.4), images[:1])
    maps = tapped(smaller.eval(), images)
    assert set(maps) == set(PATHS)
    assert maps["1.0"].shape[:3] == (2, 6, 6) and maps["1.0"].shape[3] < 8
    rounded = train.canonical(quant.prepare(smaller, images[:1]), images[:1]).train()
    assert {path: map.shape for path, map in tapped(rounded, images).items()} == {
        path: map.shape for path, map in maps.items()
    }


def test_the_same_paths_hold_for_a_running_graph_inside_a_network(net, images):
    expected = tapped(net, images)
    outer = nn.Sequential(train.canonical(net, images[:1]), nn.ReLU()).eval()
    for model in (outer, train.canonical(outer, images[:1]).eval()):
        maps = tapped(model, images, [f"0.{path}" for path in PATHS])
        assert all(np.array_equal(maps[f"0.{path}"], expected[path]) for path in PATHS)


def test_gradients_flow_through_a_tap(net, images):
    with graph.taps(net, ["1.0"]) as maps:
        net(images)
    maps["1.0"].sum().backward()
    assert np.abs(net.get("0").weight.grad).max() > 0
    assert net.get("1.1.conv").weight.grad is None


def test_each_pass_leaves_its_own_results_and_the_answer_is_unchanged(net, images):
    plain = net(images).data
    with graph.taps(net, ["1.0"]) as maps:
        assert np.array_equal(net(images).data, plain)
        first = maps["1.0"].data
        net(images + 1)
    assert not np.array_equal(maps["1.0"].data, first)


def test_further_calls_of_a_module_are_numbered_as_in_a_graph(images):
    net, x = Doubled(), np.array([[-1.0, 2.0, 3.0]], np.float32)
    for model in (net, train.canonical(net, x)):
        maps = tapped(model, x, ["relu:1", "relu"])
        assert np.array_equal(maps["relu"], [[0.0, 2.0, 3.0]])
        assert np.array_equal(maps["relu:1"], model(x).data)


def test_a_path_that_leads_nowhere_names_the_nearest(net, images):
    with pytest.raises(ValueError, match=r"Sequential has no module at '1\.0\.nrom'; did you mean '1\.0\.norm'\?"):
        tapped(net, images, ["1.0.nrom"])
    with pytest.raises(ValueError, match=r"GraphModule has no module at '1\.2'"):
        tapped(train.canonical(net, images[:1]), images, ["1.2"])


def test_a_module_that_is_not_called_is_told():
    with pytest.raises(ValueError, match=r"Doubled did not call 'unused', 'relu:2' in this pass"):
        tapped(Doubled(), np.ones((1, 3), np.float32), ["unused", "relu:2", "linear"])
