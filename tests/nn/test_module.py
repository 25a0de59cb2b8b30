"""Module: what it finds by looking at its attributes, its state, its modes."""

from __future__ import annotations

import copy
import io

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tinyslim import Tensor, models, nn


class Branches(nn.Module):
    """Children as attributes and in a list, a layer under two names, a parameter of its own, a buffer."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.stem = nn.Conv2d(1, 2, 3, seed=rng)
        self.branches = [nn.Linear(2, 3, seed=rng), nn.Sequential(nn.Linear(2, 3, seed=rng), nn.ReLU())]
        self.again = self.branches[0]
        self.gain = Tensor([2.0], requires_grad=True)
        self.seen = np.zeros(2)
        self.label = "no module"

    def forward(self, x):
        return x


PARAMETERS = [
    "gain", "stem.weight", "stem.bias",
    "branches.0.weight", "branches.0.bias", "branches.1.0.weight", "branches.1.0.bias",
]  # fmt: skip


def test_parameters_are_found_in_attributes_lists_and_nested_modules():
    assert [name for name, _ in Branches().named_parameters()] == PARAMETERS


def test_shared_layer_is_found_once():
    net = Branches()
    modules = list(net.modules())
    assert len(modules) == len(set(map(id, modules)))
    assert len(net.parameters()) == len(PARAMETERS)


def test_shared_tensor_is_one_parameter():
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    second.weight = first.weight
    names = [name for name, _ in nn.Sequential(first, second).named_parameters()]
    assert names == ["0.weight", "0.bias", "1.bias"]


def test_state_dict_round_trips_through_savez():
    source, file = Branches(), io.BytesIO()
    source.seen[:] = 5, 6
    np.savez(file, **source.state_dict())
    file.seek(0)
    target = Branches()
    for tensor in target.parameters():
        tensor.data[...] = 0
    with np.load(file, allow_pickle=False) as state:
        target.load_state_dict(state)
    for name, array in source.state_dict().items():
        assert_array_equal(target.state_dict()[name], array)
    assert_array_equal(target.seen, [5, 6])


def test_state_dict_holds_the_arrays_and_loading_copies_into_them():
    net = nn.Linear(2, 1)
    array, given = net.weight.data, np.float32([[3], [4]])
    assert net.state_dict()["weight"] is array
    net.load_state_dict({"weight": given, "bias": np.zeros(1)})
    assert net.weight.data is array
    given[...] = 0
    assert_array_equal(array, [[3], [4]])


def test_load_state_dict_names_every_fault_and_changes_nothing():
    net = nn.Linear(2, 3)
    before = net.bias.data.copy()
    state = {"weight": np.zeros((2, 2)), "bias": np.ones(3), "scale": np.zeros(1)}
    with pytest.raises(
        ValueError, match=r"does not fit Linear: scale is unexpected; weight has shape \(2, 2\), expected"
    ):
        net.load_state_dict(state)
    with pytest.raises(ValueError, match="bias is missing; weight is missing"):
        net.load_state_dict({})
    assert_array_equal(net.bias.data, before)


def test_load_state_dict_that_is_not_strict_takes_what_there_is_but_no_wrong_shape():
    net = nn.Linear(2, 1)
    net.load_state_dict({"bias": np.ones(1), "other": np.zeros(3)}, strict=False)
    assert_array_equal(net.bias.data, [1])
    with pytest.raises(ValueError, match=r"bias has shape \(2,\), expected \(1,\)"):
        net.load_state_dict({"bias": np.ones(2)}, strict=False)


def test_train_and_eval_reach_every_module_and_return_the_module():
    net = Branches()
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    assert net.train() is net
    assert all(module.training for module in net.modules())


def test_get_finds_a_module_by_its_path():
    net = Branches()
    assert net.get("branches.1.0") is net.branches[1][0]
    with pytest.raises(ValueError, match=r"no module lies at 'branches\.2'; there are stem, branches\.0"):
        net.get("branches.2")


def test_call_remembers_the_size_of_the_last_image_but_only_outermost():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten())
    net(np.zeros((2, 5, 4, 1)))
    assert net.input_shape == (5, 4, 1)
    assert net[1].input_shape is None


def test_astype_turns_parameters_and_floating_buffers():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm2d(2), nn.Dropout(0.5)).astype(np.float64)
    dtypes = {name: str(array.dtype) for name, array in net.state_dict().items()}
    assert dtypes.pop("2.calls") == "int64"
    assert set(dtypes.values()) == {"float64"}
    assert net(np.ones((3, 2))).dtype == np.float64


def test_deep_copy_shares_nothing():
    net = Branches()
    other = copy.deepcopy(net)
    for array in other.state_dict().values():
        array += 1
    assert not any(
        np.array_equal(a, b) for a, b in zip(net.state_dict().values(), other.state_dict().values(), strict=True)
    )
    assert other.again is other.branches[0]


def test_print_shows_classes_widths_and_settings_as_a_tree():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, bias=False), nn.ReLU())
    assert repr(net).split("\n") == [
        "Sequential()",
        "  0: Conv2d(weight (3, 3, 3, 8), stride=2, padding=0)",
        "  1: ReLU()",
    ]
    assert "      conv: Conv2d(weight (1, 1, 512, 1024), stride=1, padding=0)" in repr(models.mobilenet_v1()).split(
        "\n"
    )


def test_module_without_forward_says_so():
    with pytest.raises(TypeError, match="Module has no `forward`"):
        nn.Module()(np.zeros(1))


def test_sequential_takes_modules_only():
    with pytest.raises(TypeError, match=r"`modules\[1\]` .* must be a Module"):
        nn.Sequential(nn.ReLU(), len)


def test_sequential_counts_and_gives_its_modules():
    net = nn.Sequential(nn.ReLU(), nn.Tanh(), nn.Sigmoid())
    assert len(net) == 3
    assert isinstance(net[-1], nn.Sigmoid)
    assert [type(module) for module in net] == [nn.ReLU, nn.Tanh, nn.Sigmoid]
