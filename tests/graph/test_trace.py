"""trace: a network as nodes, read off one forward pass that leaves no mark."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import tinyslim.functional as F
from tinyslim import Tensor, graph, models, nn
from tinyslim.autograd import OPERATIONS, each, operation
from tinyslim.graph import rules

IMAGE = np.zeros((1, 8, 8, 3), np.float32)


class Residual(nn.Module):
    """A shared layer, an add, a concat, a constant, a parameter of its own, dropout and batch norm."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.conv = nn.Conv2d(3, 3, 3, padding=1, seed=rng)
        self.norm = nn.BatchNorm2d(3)
        self.dropout = nn.Dropout(0.5)
        self.gain = Tensor(np.ones(3, np.float32), requires_grad=True)
        self.offset = [0.5]
        self.head = nn.Sequential(nn.GlobalAvgPool2d(), nn.Linear(6, 4, seed=rng))

    def forward(self, x):
        y = F.relu(self.norm(self.conv(x)))
        y = self.conv(y) * self.gain + x
        return self.head(self.dropout(F.concat([y, x - Tensor(self.offset)])))


@pytest.fixture
def planted():
    """The table of operations and the graph's rules; what a test adds is gone afterwards."""
    before, macs, uncounted = dict(OPERATIONS), dict(rules.MACS), set(rules.UNCOUNTED)
    yield operation
    for table, old in ((OPERATIONS, before), (rules.MACS, macs), (rules.UNCOUNTED, uncounted)):
        table.clear()
        table.update(old)


def test_nodes_are_named_by_their_layers_path_or_operation():
    names = [(node.name, node.op, node.module) for node in graph.trace(Residual(), IMAGE)]
    assert names == [
        ("input", "input", None),
        ("conv", "conv2d", "conv"),
        ("norm", "batch_norm", "norm"),
        ("relu", "relu", None),
        ("conv:1", "conv2d", "conv"),
        ("multiply", "multiply", None),
        ("add", "add", None),
        ("subtract", "subtract", None),
        ("concat", "concat", None),
        ("dropout", "dropout", "dropout"),
        ("head.0", "global_avg_pool2d", "head.0"),
        ("head.1", "linear", "head.1"),
    ]


def test_layer_called_twice_is_two_nodes_of_one_module():
    g = graph.trace(Residual(), IMAGE)
    assert g["conv"].module == g["conv:1"].module == "conv"
    assert g["conv"] is not g["conv:1"]
    assert g.layer(g["conv"]) is g.layer(g["conv:1"])
    assert graph.summary(Residual(), IMAGE).params == sum(tensor.size for tensor in Residual().parameters())


def test_arguments_are_nodes_parameters_and_constants():
    g = graph.trace(Residual(), IMAGE)
    assert g["add"].arguments == (g["multiply"], g["input"])
    assert g["multiply"].arguments == (g["conv:1"], graph.Parameter("gain"))
    assert_array_equal(g["subtract"].arguments[1].array, [0.5])
    assert g["concat"].inputs == (g["add"], g["subtract"])
    assert g.users(g["input"]) == [g["conv"], g["add"], g["subtract"]]


def test_nodes_know_shapes_and_settings():
    g = graph.trace(models.mobilenet_v1(num_classes=10, width=0.25, stem_stride=1), np.zeros((2, 32, 32, 3)))
    node = g["blocks.1.depthwise"]
    assert (node.op, node.shape, node.attributes) == ("depthwise_conv2d", (2, 16, 16, 16), {"stride": 2, "padding": 1})
    assert g.output.shape == (2, 10)
    assert g.tensor(node, "weight", 1) is g.model.blocks[1].depthwise.weight
    assert g.tensor(node, "bias", 2) is None


def test_functional_calls_are_nodes_with_their_parameters():
    class Functional(nn.Module):
        def __init__(self):
            self.weight = Tensor(np.ones((3, 3, 3, 2)), requires_grad=True)

        def forward(self, x):
            return F.conv2d(x, self.weight, None, stride=2, padding=1)

    model = Functional()
    node = graph.trace(model, IMAGE)["conv2d"]
    assert node.arguments[1:] == (graph.Parameter("weight"), None)
    assert node.attributes == {"stride": 2, "padding": 1}
    assert (node.params, node.macs) == (54, 4 * 4 * 2 * 27)
    assert graph.trace(model, IMAGE).tensor(node, "weight", 1) is model.weight


def test_tracing_changes_no_array_no_mode_and_records_no_gradient():
    model = Residual()
    model.norm.eval()
    before = {name: array.copy() for name, array in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    graph.trace(model, np.ones((2, 8, 8, 3)))
    for name, array in model.state_dict().items():
        assert_array_equal(array, before[name])
    assert [module.training for module in model.modules()] == modes
    assert all(tensor.grad is None for tensor in model.parameters())
    assert model(IMAGE).requires_grad


def test_modes_come_back_when_tracing_fails():
    model = Residual()
    with pytest.raises(ValueError, match="`weight`"):
        graph.trace(model, np.zeros((1, 8, 8, 1)))
    assert all(module.training for module in model.modules())
    assert model(IMAGE).requires_grad


def test_example_may_be_of_any_memory_layout_and_dtype():
    for example in (np.zeros((3, 8, 8, 1)).T, np.zeros((2, 16, 8, 3), np.uint8)[:, ::2], Tensor(IMAGE)):
        assert graph.trace(Residual(), example).output.shape == (len(example), 4)


def test_unknown_operation_is_refused_by_name_until_it_is_registered(planted):
    @planted("x")
    def swish(x):
        return x / (1 + np.exp(-x)), each(lambda grad: grad)

    class Swish(nn.Module):
        def forward(self, x):
            return swish(x)

    model = nn.Sequential(nn.Conv2d(3, 2, 1), Swish())
    with pytest.raises(
        ValueError, match=r"the operation 'swish' in 1 is unknown to the graph; register\(\) can add it"
    ):
        graph.trace(model, IMAGE)
    graph.register("swish")
    assert graph.trace(model, IMAGE)["swish"].macs == 0


def test_registered_operation_is_counted_by_its_rule(planted):
    @planted("x", "weight")
    def outer_product(x, weight):
        return x @ weight, each(None, None)

    class Own(nn.Module):
        def __init__(self):
            self.weight = Tensor(np.ones((3, 5)), requires_grad=True)

        def forward(self, x):
            return outer_product(x, self.weight)

    graph.register("outer_product", macs=rules.linear_macs)
    assert graph.summary(Own(), np.zeros((4, 3))).macs == 15


def test_result_that_ignores_the_example_is_refused():
    class Constant(nn.Module):
        def forward(self, x):
            return Tensor(x.data) * 2

    with pytest.raises(ValueError, match="does not depend on `example`"):
        graph.trace(Constant(), IMAGE)


def test_graph_prints_a_line_for_each_node():
    assert str(graph.trace(nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU()), IMAGE)).split("\n") == [
        "input: input() → 8 × 8 × 3",
        "0: conv2d(input) → 6 × 6 × 2",
        "1: relu(0) → 6 × 6 × 2",
    ]


def test_missing_node_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"no node is named 'stem'; there are input, 0"):
        graph.trace(nn.Sequential(nn.ReLU()), IMAGE)["stem"]


def test_inserted_node_stands_between_a_node_and_all_its_users():
    g = graph.trace(Residual(), IMAGE)
    new = graph.Node("new", "relu")
    g.insert_after(g["input"], new)
    assert new.arguments == (g["input"],)
    assert g.users(g["input"]) == [new]
    assert g.users(new) == [g["conv"], g["add"], g["subtract"]]
    last = graph.Node("last", "softmax")
    g.insert_after(g.output, last)
    assert g.output is last
    assert g.nodes[-1] is last


def test_replaced_node_is_taken_wherever_the_old_one_was():
    g = graph.trace(Residual(), IMAGE)
    old, new = g["relu"], graph.Node("tanh", "tanh", g["relu"].arguments, shape=g["relu"].shape)
    g.replace(lambda node: new if node is old else None)
    assert old not in g.nodes
    assert g["conv:1"].inputs == (new,)
    assert g.users(g["norm"]) == [new]
