from __future__ import annotations

import numpy as np
import pytest

import tinyslim.functional as F
from tinyslim import Tensor, graph, models, nn, prune
from tinyslim.autograd import each, operation

IMAGES = np.zeros((1, 6, 6, 3), np.float32)


class Net(nn.Module):
    """Layers by name, and a function that calls them."""

    def __init__(self, run, **layers):
        self.run = run
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.run(self, x)


def members(group) -> dict[tuple[str, int], list[int]]:
    return {(member.path, member.axis): member.channels.tolist() for member in group.members}


def test_a_separable_block_is_cut_with_its_norms_its_depthwise_and_the_next_inputs():
    model = models.mobilenet_v1(num_classes=10, width=0.25, stem_stride=1)
    first = prune.groups(model, np.zeros((1, 32, 32, 3)))[0]
    eight = list(range(8))
    norms = {
        (f"{norm}.{name}", 0): eight
        for norm in ("stem.norm", "blocks.0.depthwise_norm")
        for name in ("weight", "bias", "running_mean", "running_var")
    }
    assert (first.name, first.width, first.layers) == ("stem.conv", 8, ("stem.conv",))
    assert members(first) == norms | {
        ("stem.conv.weight", 3): eight,
        ("blocks.0.depthwise.weight", 2): eight,
        ("blocks.0.pointwise.conv.weight", 2): eight,
    }


def test_a_residual_add_ties_every_branch_of_its_stage():
    layers = {group.name: group.layers for group in prune.groups(models.resnet20(), np.zeros((1, 32, 32, 3)))}
    assert layers["conv"] == ("conv", "blocks.0.conv2", "blocks.1.conv2", "blocks.2.conv2")
    assert set(layers["blocks.3.projection.0"]) == {f"blocks.{i}.conv2" for i in (3, 4, 5)} | {"blocks.3.projection.0"}
    assert layers["blocks.0.conv1"] == ("blocks.0.conv1",)
    assert len(layers) == 3 + 9


def test_flatten_gives_a_linear_layer_one_row_for_each_place_with_the_channel_fastest():
    net = nn.Sequential(nn.Conv2d(3, 2, 5), nn.Flatten(), nn.Linear(8, 4))
    (group,) = prune.groups(net, IMAGES)
    assert members(group)["2.weight", 0] == [0, 1] * 4


def test_concat_puts_the_inputs_of_the_next_layer_at_offsets():
    net = Net(
        lambda self, x: self.last(F.concat([self.a(x), x, self.b(x)])),
        a=nn.Conv2d(3, 2, 1), b=nn.Conv2d(3, 4, 1), last=nn.Conv2d(9, 1, 1),
    )  # fmt: skip
    a, b = prune.groups(net, IMAGES)
    assert members(a)["last.weight", 2] == [0, 1, -1, -1, -1, -1, -1, -1, -1]
    assert members(b)["last.weight", 2] == [-1, -1, -1, -1, -1, 0, 1, 2, 3]


def test_a_layer_joined_to_a_concat_is_spread_over_two_groups():
    net = Net(
        lambda self, x: self.last(self.wide(x) + F.concat([self.a(x), self.b(x)])),
        wide=nn.Conv2d(3, 6, 1), a=nn.Conv2d(3, 2, 1), b=nn.Conv2d(3, 4, 1), last=nn.Conv2d(6, 1, 1),
    )  # fmt: skip
    first, second = prune.groups(net, IMAGES)
    assert (first.name, first.layers, first.width) == ("wide", ("wide", "a"), 2)
    assert (second.name, second.layers, second.width) == ("wide:1", ("wide", "b"), 4)
    assert members(second)["wide.weight", 3] == [-1, -1, 0, 1, 2, 3]


def test_a_layer_called_twice_ties_what_goes_into_both_calls():
    net = Net(
        lambda self, x: self.last(F.relu(self.shared(self.a(x))) + self.shared(self.b(x))),
        a=nn.Conv2d(3, 5, 1), b=nn.Conv2d(3, 5, 1), shared=nn.Conv2d(5, 4, 1), last=nn.Conv2d(4, 2, 1),
    )  # fmt: skip
    together, shared = prune.groups(net, IMAGES)
    assert together.layers == ("a", "b")
    assert "shared.weight is used more than once" in str(together)
    assert shared.layers == ("shared",)


def test_a_layer_that_feeds_itself_keeps_inputs_and_outputs_alike():
    net = Net(
        lambda self, x: self.last(self.again(self.again(self.first(x)))),
        first=nn.Conv2d(3, 4, 1), again=nn.Conv2d(4, 4, 1), last=nn.Conv2d(4, 2, 1),
    )  # fmt: skip
    (group,) = prune.groups(net, IMAGES)
    assert group.layers == ("first", "again")
    assert {(path, axis) for path, axis in members(group) if path == "again.weight"} == {
        ("again.weight", 2),
        ("again.weight", 3),
    }


def test_a_dense_convolution_with_one_output_is_no_depthwise():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 1, 1), nn.Conv2d(1, 2, 1))
    assert [(group.name, group.width) for group in prune.groups(net, IMAGES)] == [("0", 4), ("1", 1)]


def test_a_depthwise_on_the_input_makes_nothing_to_cut():
    net = nn.Sequential(nn.DepthwiseConv2d(3, 3), nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1))
    assert [group.name for group in prune.groups(net, IMAGES)] == ["1"]


def test_functional_calls_with_parameters_are_followed():
    class Functional(nn.Module):
        def __init__(self):
            inner = nn.Conv2d(3, 4, 3)
            self.kernel, self.offset, self.norm, self.scale = (
                inner.weight,
                inner.bias,
                nn.BatchNorm2d(4),
                nn.Linear(1, 4),
            )
            self.mean, self.var = np.zeros(4, np.float32), np.ones(4, np.float32)
            self.last = nn.Conv2d(4, 2, 1)

        def forward(self, x):
            x = F.conv2d(x, self.kernel, self.offset, padding=1)
            x = F.batch_norm(x, self.norm.weight, self.norm.bias, self.mean, self.var, training=False)
            return self.last(F.relu(x) * self.scale.bias)

    (group,) = prune.groups(Functional(), IMAGES)
    assert {path for path, _ in members(group)} == {
        "kernel", "offset", "norm.weight", "norm.bias", "mean", "var", "scale.bias", "last.weight",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("between", "reason"),
    [
        (lambda x: x * np.ones(4, np.float32), "multiply has a constant with a number for each channel"),
        (lambda x: F.softmax(x), "softmax mixes all channels"),
        (lambda x: x.sum(axis=-1, keepdims=True) + x, "sum mixes all channels"),
        (lambda x: x[..., :4], "take moves channels or picks them by number"),
        (lambda x: x.reshape(-1, 6, 6, 4), "reshape moves channels or picks them by number"),
        (lambda x: x * x.mean(), "mean leaves no channels"),
        (lambda x: F.concat([x, np.ones((1, 6, 6, 4), np.float32)], axis=1), "constant has a fixed width"),
    ],
)
def test_layers_that_cannot_be_cut_are_listed_with_the_reason(between, reason):
    net = Net(lambda self, x: self.last(between(self.first(x))), first=nn.Conv2d(3, 4, 1), last=nn.Conv2d(4, 2, 1))
    assert prune.groups(net, IMAGES) == []
    uncut = prune.uncut(net, IMAGES)
    assert reason in uncut["first"]
    assert uncut["last"] == "the network's output has a fixed width"


def test_a_channel_that_is_spread_over_others_is_not_cut():
    net = Net(
        lambda self, x: self.last(self.gate(x) * self.first(x)),
        gate=nn.Conv2d(3, 1, 1), first=nn.Conv2d(3, 4, 1), last=nn.Conv2d(4, 2, 1),
    )  # fmt: skip
    assert [group.name for group in prune.groups(net, IMAGES)] == ["first"]
    assert prune.uncut(net, IMAGES)["gate"] == "multiply spreads it over all channels"


def test_a_weight_that_another_is_computed_from_is_not_cut():
    net = Net(
        lambda self, x: self.last(self.first(x)) + self.other(F.conv2d(x, self.first.weight * np.float32(2))),
        first=nn.Conv2d(3, 4, 1), last=nn.Conv2d(4, 2, 1), other=nn.Conv2d(4, 2, 1),
    )  # fmt: skip
    assert prune.groups(net, IMAGES) == []


@pytest.mark.parametrize(
    "between",
    [
        lambda x: 2 * x + 1,
        lambda x: F.sigmoid(x) * F.tanh(x) - F.exp(-x) / (x**2 + 1),
        lambda x: F.max_pool2d(F.avg_pool2d(x, 2), 2),
        lambda x: F.clip(F.pad(x, (0, 1, 2, 0)), -1, 4),
        lambda x: F.concat([x, x], axis=1) + x.mean(axis=(1, 2), keepdims=True),
        lambda x: F.softmax(x, axis=1) * F.relu6(F.global_avg_pool2d(x)).reshape(1, 1, 1, -1),
    ],
)
def test_operations_of_one_element_and_of_space_pass_channels_on(between):
    net = Net(lambda self, x: self.last(between(self.first(x))), first=nn.Conv2d(3, 4, 1), last=nn.Conv2d(4, 2, 1))
    (group,) = prune.groups(net, IMAGES)
    assert group.layers == ("first",)
    assert members(group)["last.weight", 2] == [0, 1, 2, 3]


def test_an_operation_without_a_rule_is_an_error_that_names_it_and_its_node():
    @operation("x")
    def halved(x):
        return x / 2, each(lambda grad: grad / 2)

    graph.register("halved")
    net = Net(lambda self, x: self.last(halved(self.first(x))), first=nn.Conv2d(3, 4, 1), last=nn.Conv2d(4, 2, 1))
    with pytest.raises(
        ValueError, match=r"no rule says .* 'halved' \(node 'halved'\) passes on; prune\.RULES has add, avg_pool2d"
    ):
        prune.groups(net, IMAGES)


def test_a_printed_group_says_what_goes_and_why():
    net = Net(
        lambda self, x: self.last(F.flatten(self.a(x) + self.b(x))),
        a=nn.Conv2d(3, 4, 1), b=nn.Conv2d(3, 4, 1), last=nn.Linear(144, 2),
    )  # fmt: skip
    text = str(prune.groups(net, IMAGES)[0])
    assert "a: 4 channels; with channel i go" in text
    assert "a.weight[:, :, :, i], bias[i]  conv2d makes the channel with it" in text
    assert "last.weight[i, :], 36 times    linear takes the channel in with it" in text
    assert "since add takes them channel by channel" in text


def test_finding_groups_changes_nothing():
    model = models.mobilenet_v1(num_classes=10, width=0.25, stem_stride=1)
    before = {name: array.copy() for name, array in model.state_dict().items()}
    prune.groups(model, Tensor(np.zeros((1, 32, 32, 3))))
    assert model.training
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())
