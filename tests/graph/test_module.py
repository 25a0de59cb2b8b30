"""A graph as a running module, and as a file's JSON: the same network without its class."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import tinyslim
import tinyslim.functional as F
from tinyslim import Tensor, graph, models, nn, optim

IMAGES = np.random.default_rng(5).standard_normal((4, 8, 8, 3)).astype(np.float32)


class Mixed(nn.Module):
    """Functional adds and concats, a parameter of its own, a shared layer, indexing, dropout."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.convs = [nn.Conv2d(3, 3, 3, padding=1, bias=False, seed=rng), nn.Conv2d(3, 2, 1, seed=rng)]
        self.norm = nn.BatchNorm2d(3)
        self.dropout = nn.Dropout(0.5)
        self.gain = Tensor(np.ones(3, np.float32), requires_grad=True)
        self.head = nn.Linear(5, 4, seed=rng)

    def forward(self, x):
        y = F.relu(self.norm(self.convs[0](x))) * self.gain
        y = self.convs[0](y) + x * np.float32([1, 2, 3])
        y = F.concat([y, self.convs[1](x)], axis=-1)
        return self.head(self.dropout(y[:, 1:-1].mean((1, 2))))


def running(model: nn.Module) -> graph.GraphModule:
    return graph.to_module(graph.trace(model, IMAGES[:1]))


def through_json(module: graph.GraphModule) -> graph.GraphModule:
    arrays = {name: array.copy() for name, array in module.state_dict().items()}
    return graph.from_json(json.loads(json.dumps(graph.to_json(module))), arrays)


NETWORKS = {
    "mixed": Mixed,
    "mobilenet_v1": lambda: models.mobilenet_v1(num_classes=4, width=0.125, stem_stride=1),
    "resnet20": lambda: models.resnet20(num_classes=4),
}
WAYS = {"to_module": running, "json": lambda model: through_json(running(model))}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NETWORKS)
def test_running_graph_computes_and_trains_as_its_network(name, way):
    model = NETWORKS[name]()
    twin = WAYS[way](model)
    assert twin.state_dict().keys() == model.state_dict().keys()
    assert_array_equal(twin.eval()(IMAGES).data, model.eval()(IMAGES).data)
    for network in (model, twin):
        optimizer = optim.SGD(network.train().parameters(), 0.1, momentum=0.9)
        for _ in range(2):
            optimizer.zero_grad()
            F.cross_entropy(network(IMAGES), [0, 1, 2, 3]).backward()
            optimizer.step()
    for path, array in model.state_dict().items():
        assert_array_equal(twin.state_dict()[path], array, err_msg=path)


def test_running_graph_shares_nothing_with_its_network():
    model = Mixed()
    twin = running(model)
    for array in twin.state_dict().values():
        array += 1
    for name, array in Mixed().state_dict().items():
        assert_array_equal(model.state_dict()[name], array)


def test_running_graph_keeps_mode_normalisation_and_size():
    model = Mixed().eval()
    model.preprocessing, model.input_shape = ((0.1, 0.2, 0.3), (1.0, 2.0, 3.0)), (8, 8, 3)
    for way in WAYS.values():
        twin = way(model)
        assert (twin.preprocessing, twin.input_shape) == (model.preprocessing, model.input_shape)
    assert not running(model).training


def test_normalisation_given_as_arrays_can_be_saved_too():
    model = Mixed()
    model.preprocessing = np.float32([0.5, 0.5, 0.5]), np.float32([1, 2, 4])
    assert through_json(running(model)).preprocessing == ((0.5, 0.5, 0.5), (1.0, 2.0, 4.0))


def test_running_graph_can_be_traced_copied_and_run_again():
    model = Mixed().eval()
    again = graph.to_module(graph.trace(copy.deepcopy(running(model)), IMAGES))
    assert_array_equal(again(IMAGES).data, model(IMAGES).data)
    assert [node.name for node in again.graph] == [node.name for node in graph.trace(model, IMAGES)]


def test_layers_can_be_put_in_the_place_of_others():
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU())
    other = nn.Conv2d(3, 2, 1, seed=9)
    twin = graph.to_module(graph.trace(model, IMAGES), {"0": other})
    assert twin.get("0") is other
    assert_array_equal(twin(IMAGES).data, F.relu(other(IMAGES)).data)


def test_tensor_that_two_layers_share_stays_shared_but_cannot_be_saved():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    twin = graph.to_module(graph.trace(nn.Sequential(first, second), np.zeros((1, 3))))
    assert twin.get("0").weight is twin.get("1").weight
    with pytest.raises(ValueError, match=r"1\.weight is a tensor of another layer too"):
        graph.to_json(twin)


@pytest.mark.parametrize("name", ["batch_norm", "dropout"])
def test_what_trains_otherwise_must_be_a_layer(name):
    class Functional(nn.Module):
        def forward(self, x):
            if name == "dropout":
                return F.dropout(x, 0.5, np.random.default_rng(0), self.training)
            return F.batch_norm(x, Tensor([1]), Tensor([0]), np.zeros(1), np.ones(1), self.training)

    with pytest.raises(ValueError, match=rf"calls F\.{name} itself; use its layer"):
        graph.to_module(graph.trace(Functional(), np.zeros((2, 1))))


INDICES = {
    "slices": (slice(1, -1), slice(None, None, np.int64(2))),
    "an int": 1,
    "a tuple": (1, 0),
    "a list": [1, 0],
    "an array": (slice(None), np.array([2, 0, 1])),
    "a mask": np.array([True, False, True, True]),
    "a new axis": (None, slice(None)),
}


@pytest.mark.parametrize("name", INDICES)
def test_index_of_any_kind_survives_the_file(name):
    class Indexed(nn.Module):
        def forward(self, x):
            return F.flatten(x)[INDICES[name]]

    twin = through_json(graph.to_module(graph.trace(Indexed(), IMAGES)))
    assert_array_equal(twin(IMAGES).data, IMAGES.reshape(4, -1)[INDICES[name]])


def test_what_a_file_cannot_hold_is_refused_by_name_and_value():
    class Odd(nn.Module):
        def forward(self, x):
            return x[..., 0]

    with pytest.raises(ValueError, match=r"take calls F\.take with Ellipsis, which a file can't hold"):
        graph.to_json(running(Odd()))


def damaged(change) -> tuple[dict, dict]:
    module = running(Mixed())
    header, arrays = json.loads(json.dumps(graph.to_json(module))), dict(module.state_dict())
    change(header, arrays)
    return header, arrays


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda header, arrays: arrays.pop("convs.0.weight"), r"the array 'convs\.0\.weight' is missing"),
        (lambda header, arrays: arrays.pop("gain"), r"the array 'gain' is missing"),
        (
            lambda header, arrays: header["layers"]["head"].update({"class": "Own"}),
            "the layer head is a Own, which is unknown",
        ),
        (lambda header, arrays: header["nodes"][3].update({"op": "swish"}), "the operation 'swish' is unknown here"),
    ],
)
def test_file_that_does_not_fit_is_refused_by_what_is_wrong(change, message):
    with pytest.raises(ValueError, match=message):
        graph.from_json(*damaged(change))


@pytest.mark.parametrize("shape", [(-1,), (2, -1), (1, 1, -1), (192,), (16, 4, 3)])
def test_a_reshape_that_keeps_the_batch_axis_does_so_for_any_batch(shape):
    class Reshapes(nn.Module):
        def forward(self, x):
            return F.relu(x.reshape(len(x), *shape))

    twin = graph.to_module(graph.trace(Reshapes(), IMAGES[:2]))
    for batch in (1, 3):
        assert_array_equal(twin(IMAGES[:batch]).data, Reshapes()(IMAGES[:batch]).data)


def test_a_reshape_to_one_vector_an_image_is_a_flatten_and_can_be_frozen():
    class Flattens(nn.Module):
        def __init__(self):
            self.last = nn.Linear(192, 2)

        def forward(self, x):
            return self.last(x.reshape(len(x), -1))

    net = Flattens()
    assert [node.op for node in graph.trace(net, IMAGES)] == ["input", "flatten", "linear"]
    program = tinyslim.freeze(net, IMAGES)
    np.testing.assert_allclose(program.run(IMAGES.astype(np.float32)), net(IMAGES.astype(np.float32)).data, rtol=1e-5)
