import numpy as np
import pytest

import tinyslim
import tinyslim.functional as F
from tinyslim import Tensor, deploy, models, nn, no_grad, quant
from tinyslim.lower import integer_layer
from tinyslim.quant.folding import Affine, fold

EXAMPLE = np.zeros((1, 16, 16, 1), np.float32)


class EveryOperation(nn.Module):
    """Residual add, concat, all poolings, a ReLU6, dropout, and a flatten."""

    def __init__(self):
        rng = np.random.default_rng(5)
        self.stem, self.norm = nn.Conv2d(1, 6, 3, padding="same", bias=False, seed=rng), nn.BatchNorm2d(6)
        self.depthwise = nn.DepthwiseConv2d(6, 3, 2, padding=(0, 1, 0, 1), seed=rng)
        self.right, self.left = nn.Conv2d(6, 6, 1, seed=rng), nn.Conv2d(6, 5, 3, 1, padding=1, seed=rng)
        self.drop, self.hidden, self.last = nn.Dropout(0.3), nn.Linear(11 * 4, 7, seed=rng), nn.Linear(7, 3, seed=rng)

    def forward(self, x):
        x = F.relu6(self.norm(self.stem(x)))
        x = F.max_pool2d(self.depthwise(x), 2)
        x = F.relu(x)
        x = x + self.right(x)
        x = F.concat([F.relu(self.left(x)), self.right(x)])
        x = F.avg_pool2d(x, 2)
        return self.last(F.relu(self.hidden(self.drop(F.flatten(x)))))


class Clips(nn.Module):
    """Clips behind a convolution, a residual add and a pooling, with bounds above, below and around 0."""

    def __init__(self):
        rng = np.random.default_rng(5)
        self.stem, self.norm = nn.Conv2d(1, 6, 3, padding=1, bias=False, seed=rng), nn.BatchNorm2d(6)
        self.inner, self.last = nn.Conv2d(6, 6, 3, padding=1, seed=rng), nn.Linear(6, 3, seed=rng)

    def forward(self, x):
        x = F.clip(self.norm(self.stem(x)), -0.5, 1.25)
        x = F.clip(x + self.inner(x), 0.25)
        x = F.clip(F.max_pool2d(x, 2), high=1.0)
        return self.last(F.global_avg_pool2d(x))


def trained_statistics(model, rng, batches=4):
    """Running statistics and quantiser ranges as some batches of noise leave them."""
    with no_grad():
        for _ in range(batches):
            model.train()(images(rng, 16))
    return model.eval()


def images(rng, n):
    return rng.normal(size=(n, 16, 16, 1)).astype(np.float32)


NETS = {
    "mobilenet_v1": lambda: models.mobilenet_v1(num_classes=4, width=0.125, in_channels=1, stem_stride=1),
    "resnet20": lambda: models.resnet20(num_classes=4, in_channels=1),
    "every_operation": EveryOperation,
    "clips": Clips,
}


@pytest.mark.parametrize("name", NETS)
def test_a_float_program_computes_what_the_model_does(name, rng):
    net = trained_statistics(NETS[name](), rng)
    x = images(rng, 5)
    expected = net(x).data
    np.testing.assert_allclose(tinyslim.freeze(net, EXAMPLE).run(x), expected, atol=2e-5 * np.abs(expected).max())


def simulated_integers(prepared, x):
    """For each quantiser of a prepared model, the integers of its result on `x`, by the node that it stands behind."""
    with no_grad():
        results = prepared.results(Tensor(x))
    found = {}
    for node in prepared.graph:
        if node.op == "fake_quant":
            grid = prepared.graph.layer(node).grid()
            q = np.rint(results[node.name].data / grid.scale) + grid.zero_point
            for member in quant.chain(prepared.graph, head_of(prepared.graph, node.inputs[0])):
                found[member.name] = found[node.name] = q.astype(np.uint8)
    return found


def rounded_bias(op):
    """The share of integers that the bias, rounded to 1/512 step of the sums, carries over a rounding boundary."""
    return (op.arrays["multiplier"] * 2.0 ** -op.arrays["shift"]).max() / 512 if "shift" in op.arrays else 0.0


def distinct(op, x, off):
    """`off` for inputs x (n, y, x, c) that differ: a depthwise channel that is seen twice is rounded the same twice."""
    if op.kind != "depthwise_conv2d":
        return off
    planes = np.moveaxis(x, 3, 0).reshape(x.shape[3], len(x), -1)
    firsts = [np.unique(images_of_channel, axis=0, return_index=True)[1] for images_of_channel in planes]
    return np.concatenate([off[first, ..., channel].ravel() for channel, first in enumerate(firsts)])


def head_of(graph, node):
    """The first node of the chain that `node` ends."""
    for candidate in graph:
        members = quant.chain(graph, candidate)
        if members[-1] is node and candidate.op in {"conv2d", "depthwise_conv2d", "linear", "add", "global_avg_pool2d"}:
            return candidate
    return node


@pytest.mark.parametrize("name", ["mobilenet_v1", "resnet20"])
@pytest.mark.parametrize(
    "types",
    [
        {"weight_bits": 8, "activation_bits": 8},
        {"weight_bits": 5, "activation_bits": 5},
        {"weight_quantize_type": "abs_max", "activation_symmetric": False},
        {"weight_quantize_type": "lsq", "activation_quantize_type": "lsq", "weight_bits": 4, "activation_bits": 4},
        {"weight_quantize_type": "channel_wise_lsq", "activation_quantize_type": "lsq", "activation_symmetric": False},
    ],
    ids=str,
)
def test_each_layer_fed_the_simulations_integers_gives_the_simulations_integers(name, types, rng):
    net = trained_statistics(NETS[name](), rng)
    prepared = trained_statistics(quant.prepare(net, EXAMPLE, **types), rng)
    program, integers = tinyslim.freeze(prepared, EXAMPLE), simulated_integers(prepared, images(rng, 16))
    checked = 0
    for op, following in zip(program.ops[1:-1], program.ops[2:], strict=True):
        if op.kind == "clip":
            continue  # it belongs to the operation before it
        inputs = [integers[parent.name] for parent in prepared.graph[op.name].inputs]
        result = program.op_kind(op).run(op, tinyslim.kernels, *inputs)
        if following.kind == "clip":
            result = program.op_kind(following).run(following, tinyslim.kernels, result)
        off = result.astype(int) - integers[op.name]
        assert np.abs(off).max() <= 1, op.name
        different = distinct(op, inputs[0], off) != 0
        assert different.sum() <= 1 + (0.002 + rounded_bias(op)) * different.size, op.name
        checked += 1
    assert checked >= 28 - (name == "resnet20") * 3


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [8, 3])
@pytest.mark.parametrize("activation_quantize_type", ["range_abs_max", "lsq"])
def test_an_int8_program_is_equal_to_its_integer_twin_to_the_last_byte(symmetric, bits, activation_quantize_type, rng):
    types = {"activation_quantize_type": activation_quantize_type, "activation_symmetric": symmetric}
    prepared = trained_statistics(quant.prepare(EveryOperation(), EXAMPLE, activation_bits=bits, **types), rng)
    zero_points = {m.grid().zero_point for m in prepared.modules() if isinstance(m, quant.ActivationQuantizer)}
    assert symmetric or zero_points - {0, 2 ** (bits - 1)}
    program = tinyslim.freeze(prepared, EXAMPLE)
    x = images(rng, 5)
    np.testing.assert_array_equal(program.run(x), deploy.reference_run(program, x))


def test_clips_are_the_ends_of_bytes(rng):
    prepared = trained_statistics(quant.prepare(Clips(), EXAMPLE), rng)
    program, x = tinyslim.freeze(prepared, EXAMPLE), images(rng, 16)
    np.testing.assert_array_equal(program.run(x), deploy.reference_run(program, x))
    np.testing.assert_allclose(program.run(x), prepared(x).data, atol=0.02 * np.abs(prepared(x).data).max())
    scale = prepared.graph.layer(prepared.graph["quantizers.clip_1"]).grid().scale
    add = next(op for op in program.ops if op.kind == "add")
    assert (add.attributes["zero_point"], add.attributes["low"]) == (0, round(0.25 / scale))


def test_an_int8_program_holds_integers_from_the_input_to_the_logits(rng):
    program = tinyslim.freeze(trained_statistics(quant.prepare(EveryOperation(), EXAMPLE), rng), EXAMPLE)
    assert program.ops[0].kind == "quantize"
    assert program.ops[-1].kind == "logits"
    assert {spec.dtype for spec in program.specs[1:-1]} == {"uint8"}


def test_batch_norm_is_folded_with_its_sign():
    signed, offset, step = integer_layer(
        np.array([[3, 127]], np.int8), np.array([0.5, 0.25]), Affine(np.array([2.0, -4.0]), np.array([1.0, -2.0])), 0.1
    )
    np.testing.assert_array_equal(signed, [[3, -127]])
    np.testing.assert_allclose(step, [0.1, 0.1])
    np.testing.assert_allclose(offset, [10, -20])


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_biases_are_rounded_to_256ths_of_a_step_of_the_sums(bits, rng):
    net = trained_statistics(nn.Sequential(nn.Conv2d(1, 9, 3), nn.ReLU(), nn.Flatten(), nn.Linear(1764, 2)), rng)
    net[0].bias.data[:] = rng.normal(size=9)
    prepared = trained_statistics(quant.prepare(net, EXAMPLE, weight_bits=bits), rng)
    conv = tinyslim.freeze(prepared, EXAMPLE).ops[1]
    step = prepared.get("quantizers.input").grid().scale * prepared.get("0").scales().astype(np.float64)
    found = (conv.arrays["bias"] + conv.arrays["fraction"] / 256) * step
    assert np.abs(found - net[0].bias.data).max() <= step.max() / 512 * (1 + 1e-6)
    assert np.abs(conv.arrays["fraction"]).max() > 1


def test_a_dead_channel_keeps_its_bias_within_int32():
    _, offset, step = integer_layer(
        np.array([[1]], np.int8), np.array([0.5]), Affine(np.array([0.0]), np.array([7.0])), 0.1
    )
    assert 0 < offset[0] <= 2**30
    assert offset[0] * step[0] == pytest.approx(7.0)


@pytest.mark.parametrize("weight_quantize_type", ["abs_max", "lsq"])
def test_one_step_a_tensor_is_one_step_of_what_batch_norm_is_folded_into(weight_quantize_type, rng):
    net = trained_statistics(models.mobilenet_v1(num_classes=4, width=0.125, in_channels=1, stem_stride=1), rng)
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data[:] = rng.uniform(0.5, 2, layer.weight.shape) * rng.choice([-1, 1], layer.weight.shape)
            layer.weight.data[0] = 0
    prepared = quant.prepare(net, EXAMPLE, weight_quantize_type)
    checked = 0
    for node in prepared.graph:
        if (norm := prepared.graph.neighbour(node)) is not None:
            weight, affine = fold(prepared.graph, quant.chain(prepared.graph, node))
            layer = prepared.graph.layer(node)
            signed, _, steps = integer_layer(layer.integers(norm), layer.scales(norm), affine, 1.0)
            np.testing.assert_allclose(steps[1:], steps[1], rtol=1e-6)
            folded = (weight * affine.factor)[..., 1:]
            clipped = np.clip(folded, -127 * steps[1], 127 * steps[1])
            assert np.abs(signed[..., 1:] * steps[1:] - clipped).max() <= steps[1] / 2 * (1 + 1e-4)
            checked += 1
    assert checked == 27


@pytest.mark.parametrize("weight_quantize_type", quant.WEIGHT_TYPES)
def test_lowered_equals_unlowered_whatever_the_batch_norm(weight_quantize_type, rng):
    net = models.mobilenet_v1(num_classes=4, width=0.125, in_channels=1, stem_stride=1)
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data[:] = rng.uniform(0.5, 1.5, layer.weight.shape) * rng.choice([-1, 1], layer.weight.shape)
            layer.weight.data[0], layer.bias.data[:] = 0, rng.normal(size=layer.bias.shape)
    prepared = trained_statistics(quant.prepare(trained_statistics(net, rng), EXAMPLE, weight_quantize_type), rng)
    x = images(rng, 16)
    executed, simulated = tinyslim.freeze(prepared, EXAMPLE).run(x), prepared(x).data
    assert np.corrcoef(executed.ravel(), simulated.ravel())[0, 1] > 0.995


class Skips(nn.Module):
    """A small U-Net with an inception block: what goes into a concat goes elsewhere too, images and vectors alike."""

    def __init__(self):
        rng = np.random.default_rng(7)
        self.down, self.norm = nn.Conv2d(1, 4, 3, padding=1, seed=rng), nn.BatchNorm2d(4)
        self.deep, self.wide = nn.Conv2d(4, 5, 3, 1, padding=1, seed=rng), nn.Conv2d(9, 3, 1, seed=rng)
        self.one, self.three = nn.Conv2d(3, 2, 1, seed=rng), nn.Conv2d(3, 2, 3, padding=1, seed=rng)
        self.last = nn.Linear(7 + 9, 3, seed=rng)

    def forward(self, x):
        skip = F.relu(self.norm(self.down(x)))
        both = F.concat([skip, self.deep(F.max_pool2d(skip, 3, 1, 1))])
        y = self.wide(both)
        mixed = F.concat([self.one(y), F.relu(self.three(y)), F.max_pool2d(y, 3, 1, 1)])
        return self.last(F.concat([F.global_avg_pool2d(F.relu(mixed)), F.global_avg_pool2d(both)]))


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [8, 4])
def test_a_concat_whose_inputs_go_elsewhere_too_runs_on_integers(symmetric, bits, rng, tmp_path):
    prepared = quant.prepare(Skips(), EXAMPLE, activation_bits=bits, activation_symmetric=symmetric)
    trained_statistics(prepared, rng)
    program, x = tinyslim.freeze(prepared, EXAMPLE), images(rng, 9)
    assert [op.name for op in program.ops if "[" in op.name] == ["concat[0]", "concat:1[2]"]
    executed = program.run(x)
    np.testing.assert_array_equal(executed, deploy.reference_run(program, x))
    program.save(tmp_path / "skips.npz")
    np.testing.assert_array_equal(executed, deploy.load(tmp_path / "skips.npz").run(x))
    assert max(row.largest for row in quant.compare(prepared, program, x).rows) <= 1
    simulated = prepared(x).data
    assert np.abs(executed - simulated).max() <= (0.02 if bits == 8 else 0.2) * np.abs(simulated).max()


def test_a_model_with_dead_channels_freezes(rng):
    net = models.mobilenet_v1(num_classes=4, width=0.125, in_channels=1, stem_stride=1)
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data[0], layer.bias.data[0] = 0.0, 0.5
    prepared = trained_statistics(quant.prepare(net, EXAMPLE), rng)
    x = images(rng, 8)
    executed = tinyslim.freeze(prepared, EXAMPLE).run(x)
    np.testing.assert_allclose(executed, prepared(x).data, atol=0.15 * np.abs(executed).max())


def test_uint8_images_give_the_same_bytes_as_the_numbers_they_stand_for(rng):
    net = models.mobilenet_v1(num_classes=4, width=0.125, in_channels=1, stem_stride=1)
    net.preprocessing = ((0.3,), (0.4,))
    prepared = trained_statistics(quant.prepare(net, EXAMPLE), rng)
    program = tinyslim.freeze(prepared, EXAMPLE)
    pixels = rng.integers(0, 256, (3, 16, 16, 1), dtype=np.uint8)
    floats = tinyslim.kernels.normalize_images(pixels, *net.preprocessing)
    np.testing.assert_array_equal(program.run(pixels), program.run(floats))


def test_the_same_model_freezes_to_the_same_bytes(rng):
    prepared = trained_statistics(quant.prepare(EveryOperation(), EXAMPLE), rng)
    assert tinyslim.freeze(prepared, EXAMPLE).to_bytes() == tinyslim.freeze(prepared, EXAMPLE).to_bytes()


def test_a_prepared_model_that_saw_no_batch_is_refused():
    with pytest.raises(ValueError, match="seen no batch"):
        tinyslim.freeze(quant.prepare(EveryOperation(), EXAMPLE), EXAMPLE)


class Ending(nn.Module):
    def __init__(self, function):
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize(
    "function, op",
    [
        (lambda x: F.tanh(F.global_avg_pool2d(x)), "tanh"),
        (lambda x: F.global_avg_pool2d(x + 1.0), "add"),
        (lambda x: F.global_avg_pool2d(F.pad(x, 1)), "pad"),
    ],
)
def test_an_operation_that_a_program_has_no_place_for_is_refused_by_name(function, op):
    with pytest.raises(ValueError, match=op):
        tinyslim.freeze(Ending(function), EXAMPLE)
