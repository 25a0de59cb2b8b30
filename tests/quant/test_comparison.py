"""Each layer of a Program, fed the simulation's integers, gives the simulation's integers; what doesn't is seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import tinyslim
import tinyslim.functional as F
from tinyslim import data, deploy, models, nn, no_grad, quant


@pytest.fixture(scope="module")
def sets():
    return data.load("fashion_mnist_mini")


def mobilenet_v1(train_set):
    return models.mobilenet_v1(
        num_classes=10, width=0.25, in_channels=1, stem_stride=1, pretrained="fashion_mnist"
    )  # fmt: skip


def resnet20(train_set):
    return models.resnet20(num_classes=10, in_channels=1, pretrained="fashion_mnist")


def mobilenet_v2(train_set):
    """No weights ship, so that batch norm gets its statistics from real images at least."""
    net = models.mobilenet_v2(num_classes=10, width=0.25, in_channels=1)
    net.preprocessing = train_set.mean, train_set.std
    return watched(net, train_set)


def watched(model, train_set, batches=3):
    """`model` in eval mode, after its ranges and statistics have seen some batches."""
    with no_grad():
        for start in range(0, 64 * batches, 64):
            model.train()(tinyslim.Tensor(train_set.normalized(slice(start, start + 64))))
    return model.eval()


def simulated_and_frozen(make, sets, **settings):
    example = sets[0].normalized(slice(0, 1))
    prepared = watched(quant.prepare(make(sets[0]), example, **settings), sets[0])
    return prepared, tinyslim.freeze(prepared, example)


@pytest.mark.parametrize("make", [mobilenet_v1, mobilenet_v2, resnet20])
def test_no_integer_is_off_by_more_than_one_and_one_in_ten_thousand_at_all(make, sets):
    prepared, program = simulated_and_frozen(make, sets)
    found = quant.compare(prepared, program, sets[1].normalized(slice(0, 16))).check()
    assert found.largest <= 1
    assert found.share <= 1e-4
    weighted = [op for op in program.ops if op.arrays]
    assert len(weighted) >= 20 and {op.name for op in weighted} <= {row.name for row in found.rows}
    assert sum(row.by_bias for row in found.rows) <= 1e-5 * found.integers


def with_whole_biases(program):
    """`program` without the fractions of its biases: rounded to steps of the sums, as is usual elsewhere."""
    ops = [
        replace(op, arrays={**op.arrays, "fraction": np.zeros_like(op.arrays["fraction"])})
        if "fraction" in op.arrays
        else op
        for op in program.ops
    ]
    return deploy.Program(program.kind, program.input_shape, ops, program.preprocessing, program.classes)


@pytest.mark.parametrize("make", [mobilenet_v1, mobilenet_v2])
def test_biases_of_whole_steps_are_seen_in_most_layers(make, sets):
    prepared, program = simulated_and_frozen(make, sets)
    found = quant.compare(prepared, with_whole_biases(program), sets[1].normalized(slice(0, 16)))
    assert len(found.faults) > 20 and found.differing > 500


def magnified(train_set):
    """Of eight channels half hardly vary, and batch norm brings them to the size of the others."""
    rng = np.random.default_rng(0)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, seed=rng), nn.ReLU(), nn.DepthwiseConv2d(8, 3, bias=False, seed=rng),
        nn.BatchNorm2d(8, eps=1e-9), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(8, 10, seed=rng),
    )  # fmt: skip
    for parameter in net[0].parameters():
        parameter.data[..., :4] /= 150
    with no_grad():
        y = net[2](net[1](net[0](tinyslim.Tensor(train_set.normalized(slice(0, 64)))))).data
    net[3].running_mean[:], net[3].running_var[:] = y.mean((0, 1, 2)), y.var((0, 1, 2))
    net.preprocessing = train_set.mean, train_set.std
    return net.eval()


def test_where_batch_norm_magnifies_a_channel_nothing_is_lost(sets):
    """A step of its sums is two of the output's. The planted fault, biases of whole steps, is a tenth of its bytes."""
    prepared = quant.calibrate(magnified(sets[0]), [sets[0].normalized(slice(0, 256))], method="abs_max")
    program, x = tinyslim.freeze(prepared, sets[0].normalized(slice(0, 1))), sets[1].normalized(slice(0, 1000))
    depthwise = next(op for op in program.ops if op.kind == "depthwise_conv2d")
    steps = depthwise.arrays["multiplier"] * 2.0 ** -depthwise.arrays["shift"].astype(float)
    assert steps.max() > 2
    found = quant.compare(prepared, program, x).check()
    assert found.agreeing >= 997
    planted = quant.compare(prepared, with_whole_biases(program), x[:64])
    assert max(row.share for row in planted.faults) > 0.1


def test_run_freely_both_name_the_same_classes(sets):
    prepared, program = simulated_and_frozen(mobilenet_v1, sets)
    some = sets[1].subset(1000)
    x = some.normalized(slice(0, 1000))
    found = quant.compare(prepared, program, x[:64])
    assert found.agreeing >= 63 and found.images == 64
    with no_grad():
        simulated = np.concatenate([prepared(x[i : i + 250]).data for i in range(0, 1000, 250)])
    executed = program.run(x)
    assert (simulated.argmax(1) == executed.argmax(1)).mean() >= 0.99
    labels = some.labels
    top1 = [(logits.argmax(1) == labels).mean() for logits in (simulated, executed)]
    assert abs(top1[0] - top1[1]) <= 0.003


def test_rounded_biases_freeze_to_the_same_program_and_leave_nothing_to_round(sets):
    prepared, program = simulated_and_frozen(mobilenet_v1, sets, weight_bits=4)
    before = {name: array.copy() for name, array in prepared.state_dict().items()}
    rounded = quant.round_biases(prepared)
    assert tinyslim.freeze(rounded, sets[0].normalized(slice(0, 1))).to_bytes() == program.to_bytes()
    x = sets[1].normalized(slice(0, 8))
    plain, now = (sum(r.by_bias for r in quant.compare(m, program, x).rows) for m in (prepared, rounded))
    assert plain > 20 and now == 0
    assert all(np.array_equal(array, before[name]) for name, array in prepared.state_dict().items())


class EveryOperation(nn.Module):
    """A residual add, a concat under an activation, all poolings, ReLU6, dropout, flatten, layers without a norm."""

    def __init__(self):
        rng = np.random.default_rng(5)
        self.stem, self.norm = nn.Conv2d(1, 6, 3, padding="same", bias=False, seed=rng), nn.BatchNorm2d(6)
        self.depthwise = nn.DepthwiseConv2d(6, 3, 2, padding=(0, 1, 0, 1), seed=rng)
        self.right, self.left = nn.Conv2d(6, 6, 1, seed=rng), nn.Conv2d(6, 5, 3, 1, padding=1, seed=rng)
        self.drop, self.hidden, self.last = nn.Dropout(0.3), nn.Linear(11 * 9, 7, seed=rng), nn.Linear(7, 3, seed=rng)

    def forward(self, x):
        x = F.relu6(self.norm(self.stem(x)))
        x = F.max_pool2d(self.depthwise(x), 2)
        x = F.relu(x)
        x = x + self.right(x)
        x = F.relu6(F.concat([F.relu(self.left(x)), self.right(x)]))
        x = F.avg_pool2d(x, 2)
        return self.last(F.relu(self.hidden(self.drop(F.flatten(x)))))


@pytest.mark.parametrize("bits", [8, 4])
def test_every_operation_is_compared(sets, bits):
    prepared, program = simulated_and_frozen(lambda _: EveryOperation(), sets, weight_bits=bits, activation_bits=bits)
    found = quant.compare(prepared, program, sets[1].normalized(slice(0, 64))).check()
    assert found.share <= 1e-4
    kinds = {row.op for row in found.rows}
    assert kinds >= {"conv2d", "depthwise_conv2d", "add", "concat", "max_pool2d", "avg_pool2d", "linear", "logits"}


@pytest.mark.parametrize(
    "settings",
    [
        {"weight_quantize_type": "abs_max", "activation_symmetric": False},
        {"weight_quantize_type": "channel_wise_lsq", "activation_quantize_type": "lsq"},
    ],
)
@pytest.mark.parametrize("make", [mobilenet_v1, lambda _: EveryOperation()])
def test_every_way_of_rounding_is_executed_as_it_is_simulated(sets, make, settings):
    prepared, program = simulated_and_frozen(make, sets, **settings)
    found = quant.compare(prepared, program, sets[1].normalized(slice(0, 16))).check()
    assert found.share <= 1e-4


def test_pictures_and_the_numbers_they_stand_for_compare_alike(sets):
    prepared, program = simulated_and_frozen(resnet20, sets)
    pictures = sets[1].images[:4]
    assert quant.compare(prepared, program, pictures) == quant.compare(
        prepared, program, sets[1].normalized(slice(0, 4), prepared.preprocessing)
    )


def changed(program, kind, **changes):
    """`program` with a change to its second op of a kind: a function of an array, or of an attribute."""
    ops = list(program.ops)
    position = [i for i, op in enumerate(ops) if op.kind == kind][1 if kind != "logits" else 0]
    op = ops[position]
    arrays = {name: changes[name](array.copy()) if name in changes else array for name, array in op.arrays.items()}
    attributes = {n: changes[n](value) if n in changes else value for n, value in op.attributes.items()}
    ops[position] = replace(op, arrays=arrays, attributes=attributes)
    return deploy.Program(program.kind, program.input_shape, ops, program.preprocessing, program.classes), op.name


def first(change):
    """A change of an array's first number alone."""

    def apply(array):
        array.flat[0] = change(array.flat[0])
        return array

    return apply


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("conv2d", {"weight": first(lambda w: w + 1 if w < 127 else w - 1)}),
        ("depthwise_conv2d", {"weight": first(lambda w: w ^ 64)}),
        ("conv2d", {"shift": first(lambda s: s + 1)}),
        ("depthwise_conv2d", {"shift": first(lambda s: s - 1)}),
        ("conv2d", {"multiplier": lambda m: np.minimum(m + m // 1000, 2**31 - 1).astype(np.int32)}),
        ("conv2d", {"bias": lambda b: b + 2}),
        ("conv2d", {"zero_point": lambda z: z + 1}),
        ("depthwise_conv2d", {"input_zero_point": lambda z: z + 1}),
        ("logits", {"bias": first(lambda b: b + 1)}),
    ],
)
def test_a_planted_fault_is_seen_in_its_layer_alone(sets, kind, changes):
    prepared, program = simulated_and_frozen(mobilenet_v1, sets)
    broken, name = changed(program, kind, **changes)
    x = sets[1].normalized(slice(0, 16))
    found = quant.compare(prepared, broken, x)
    assert [row.name for row in found.faults] == [name]
    with pytest.raises(ValueError, match=f"more than rounding in {name}"):
        found.check()
    assert "more than rounding" in str(found)


def test_a_fault_of_an_add_is_seen(sets):
    prepared, program = simulated_and_frozen(resnet20, sets)
    broken, name = changed(program, "add", shift=lambda s: s - 1)
    found = quant.compare(prepared, broken, sets[1].normalized(slice(0, 4)))
    assert [row.name for row in found.faults] == [name] and found.largest > 1


def test_what_does_not_belong_together_is_refused(sets):
    prepared, program = simulated_and_frozen(mobilenet_v1, sets)
    x = sets[1].normalized(slice(0, 2))
    other = simulated_and_frozen(resnet20, sets)[1]
    with pytest.raises(ValueError, match="is not one of `model`, which has nothing called 'conv'"):
        quant.compare(prepared, other, x)
    with pytest.raises(ValueError, match="on integers"):
        quant.compare(prepared, tinyslim.freeze(mobilenet_v1(None), x), x)
    with pytest.raises(ValueError, match="`batch` is empty"):
        quant.compare(prepared, program, x[:0])
    with pytest.raises(TypeError, match="`x`"):
        quant.compare(prepared, program, x.astype(np.float64))
