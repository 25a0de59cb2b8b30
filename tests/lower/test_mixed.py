"""Networks of which some layers stay in float32: what is simulated, what the Program computes, what its twin does."""

import numpy as np
import onnxruntime
import pytest

import tinyslim
import tinyslim.functional as F
from tinyslim import data, deploy, kernels, models, nn, no_grad, quant

EXAMPLE = np.zeros((1, 16, 16, 1), np.float32)
FLOAT = {"float": True}


class EveryOperation(nn.Module):
    """Residual add, concat, all poolings, a ReLU6 and one that stands alone, dropout, and a flatten."""

    def __init__(self):
        rng = np.random.default_rng(5)
        self.stem, self.norm = nn.Conv2d(1, 6, 3, padding="same", bias=False, seed=rng), nn.BatchNorm2d(6)
        self.depthwise = nn.DepthwiseConv2d(6, 3, 2, padding=(0, 1, 0, 1), seed=rng)
        self.right, self.left = nn.Conv2d(6, 6, 1, seed=rng), nn.Conv2d(6, 5, 3, 1, padding=1, seed=rng)
        self.other = nn.Conv2d(6, 6, 1, seed=rng)
        self.drop, self.hidden, self.last = nn.Dropout(0.3), nn.Linear(11 * 4, 7, seed=rng), nn.Linear(7, 3, seed=rng)

    def forward(self, x):
        x = F.relu6(self.norm(self.stem(x)))
        x = F.relu(F.max_pool2d(self.depthwise(x), 2))
        x = x + self.right(x)
        x = F.avg_pool2d(F.concat([F.relu(self.left(x)), self.other(x)]), 2)
        return self.last(F.relu(self.hidden(self.drop(F.flatten(x)))))


LAYERS = ("stem", "depthwise", "right", "left", "other", "hidden", "last")


def images(rng, n=6):
    return rng.normal(size=(n, 16, 16, 1)).astype(np.float32)


def settled(net, rng):
    """A network whose batch norms know what comes by."""
    with no_grad():
        for _ in range(8):
            net.train()(images(rng, 16))
    return net.eval()


def calibrated(net, rng, layers, **settings):
    return quant.calibrate(settled(net, rng), [images(rng, 16)], table={"layers": layers}, **settings)


def check(model, rng, tolerance=0.03):
    """The Program against the simulation, its twin, its file, the kernel table; returns it."""
    program, x = tinyslim.freeze(model, EXAMPLE), images(rng)
    found, simulated = program.run(x), model(x).data
    np.testing.assert_allclose(found, simulated, atol=tolerance * np.abs(simulated).max())
    # A sum of real numbers may round otherwise in the twin, and so may now and then a byte made of it.
    np.testing.assert_allclose(found, deploy.reference_run(program, x), atol=0.02 * np.abs(found).max())
    contents = program.to_bytes()
    loaded = deploy.program.file_format.decode(contents, deploy.program.build_from_header)
    assert loaded.to_bytes() == contents and str(loaded) == str(program)
    np.testing.assert_array_equal(loaded.run(x), found)
    with kernels.use_reference():
        np.testing.assert_array_equal(program.run(x), deploy.reference_run(program, x))
    return program


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("alone", [True, False], ids=["float32", "integers"])
def test_one_layer_that_differs_from_all_others(layer, alone, rng):
    entries = {layer: FLOAT} if alone else {"*": FLOAT, layer: {"float": False}}
    program = check(calibrated(EveryOperation(), rng, entries), rng)
    assert program.kind == "mixed"
    real = {op.name for op in program.ops if op.kind.endswith("_float32")}
    assert {name for name in LAYERS if name in real} == ({layer} if alone else set(LAYERS) - {layer})


@pytest.mark.parametrize("bits", [8, 5])
def test_float_layers_inside_the_zoo(bits, rng):
    for net, entries in (
        (models.mobilenet_v1(4, 0.125, in_channels=1, stem_stride=1), ("stem", "blocks.3.pointwise", "classifier")),
        (models.mobilenet_v2(4, 0.125, in_channels=1, stem_stride=1), ("blocks.2.project", "blocks.8", "head")),
        (models.resnet20(4, in_channels=1), ("blocks.0.conv2", "blocks.3.projection", "blocks.7")),
    ):
        table = {"layers": dict.fromkeys(entries, FLOAT)}
        model = quant.calibrate(net.eval(), [images(rng, 16)], table=table, activation_bits=bits)
        assert check(model, rng, 0.08 if bits < 8 else 0.03).kind == "mixed"


def test_the_stretch_of_integers_is_equal_to_its_twin_to_the_last_byte(rng):
    program = tinyslim.freeze(calibrated(EveryOperation(), rng, {"hidden": FLOAT, "last": FLOAT}), EXAMPLE)
    x = images(rng)
    ends = program.ops.index(next(op for op in program.ops if op.kind == "dequantize"))
    values = {0: x}
    twin = {0: x}
    for number, op in enumerate(program.ops[: ends + 1], 1):
        values[number] = program.op_kind(op).run(op, kernels, *(values[value] for value in op.inputs))
        twin[number] = program.op_kind(op).run(op, kernels.reference, *(twin[value] for value in op.inputs))
    assert values[ends + 1].tobytes() == twin[ends + 1].tobytes()


def test_a_float_layer_reads_and_gives_real_numbers(rng):
    program = tinyslim.freeze(calibrated(EveryOperation(), rng, {"depthwise": FLOAT}), EXAMPLE)
    kinds = [op.kind for op in program.ops]
    place = kinds.index("depthwise_conv2d_float32")
    assert kinds[place - 1 : place + 2] == ["dequantize", "depthwise_conv2d_float32", "quantize"]
    weights = EveryOperation().depthwise.weight.data
    np.testing.assert_array_equal(program.ops[place].arrays["weight"], weights)


def test_what_takes_real_numbers_alone_stays_in_float32(rng):
    net = models.mobilenet_v1(4, 0.125, in_channels=1, stem_stride=1)
    program = tinyslim.freeze(calibrated(net, rng, {"blocks.12.pointwise": FLOAT, "classifier": FLOAT}), EXAMPLE)
    kinds = ["dequantize", "conv2d_float32", "global_avg_pool2d_float32", "linear_float32"]
    assert [op.kind for op in program.ops[-4:]] == kinds


def test_a_network_that_stays_in_float32_as_a_whole_is_a_float32_program(rng):
    net = EveryOperation().eval()
    program = tinyslim.freeze(calibrated(net, rng, {"*": FLOAT}), EXAMPLE)
    assert program.to_bytes() == tinyslim.freeze(net, EXAMPLE).to_bytes()


def test_without_float_layers_the_table_changes_no_kind(rng):
    program = tinyslim.freeze(calibrated(EveryOperation(), rng, {"hidden": {"weight_bits": 4}}), EXAMPLE)
    assert program.kind == "int8"
    (hidden,) = (op for op in program.ops if op.name == "hidden")
    assert len(np.unique(hidden.arrays["weight"])) == 15


def test_float_layers_bring_the_answer_nearer(rng):
    net, x = settled(EveryOperation(), rng), images(rng, 32)
    errors = []
    for entries in ({}, {"*": FLOAT, "hidden": {"float": False}}):
        model = quant.calibrate(net, [x], table={"layers": entries}, weight_bits=3)
        errors.append(np.square(tinyslim.freeze(model, EXAMPLE).run(x) - net(x).data).mean())
    assert errors[1] < 0.5 * errors[0]


def test_each_beginning_of_a_program_runs(rng):
    program, x = tinyslim.freeze(calibrated(EveryOperation(), rng, {"right": FLOAT}), EXAMPLE), images(rng, 2)
    values = {0: x}
    for number, op in enumerate(program.ops, 1):
        values[number] = program.op_kind(op).run(op, kernels, *(values[value] for value in op.inputs))
        np.testing.assert_allclose(program.beginning(number, np.float32)(x), values[number], atol=1e-5, err_msg=op.name)


def test_uint8_images_and_any_count_of_images(rng):
    net = models.mobilenet_v1(4, 0.125, in_channels=1, stem_stride=1)
    net.preprocessing = ((0.3,), (0.4,))
    program = tinyslim.freeze(calibrated(net, rng, {"stem": FLOAT}), EXAMPLE)
    pixels = rng.integers(0, 256, (3, 16, 16, 1), dtype=np.uint8)
    floats = kernels.normalize_images(pixels, *net.preprocessing)
    np.testing.assert_array_equal(program.run(pixels), program.run(floats))
    np.testing.assert_array_equal(program.run(pixels[1:2]), program.run(pixels)[1:2])
    assert program.run(pixels[:0]).shape == (0, 4)


def test_a_mixed_model_trains_on_and_its_float_layers_train_too(rng):
    prepared = quant.prepare(EveryOperation(), EXAMPLE, table={"layers": {"stem": FLOAT}})
    F.cross_entropy(prepared.train()(images(rng, 8)), np.arange(8) % 3).backward()
    assert all(p.grad is not None and np.isfinite(p.grad).all() for p in prepared.parameters())
    assert check(settled(prepared, rng), rng).kind == "mixed"


def elsewhere(program, x, path):
    """The logits that ONNX Runtime gives."""
    deploy.export_onnx(program, path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"images": np.ascontiguousarray(x.transpose(0, 3, 1, 2))})[0]


def test_the_shipped_network_answers_the_same_in_another_runtime(tmp_path):
    net = models.mobilenet_v1(10, 0.25, in_channels=1, stem_stride=1, pretrained="fashion_mnist")
    train_set, test_set = data.load("fashion_mnist_mini")
    batch = train_set.normalized(slice(0, 256), net.preprocessing)
    layers = "stem", "blocks.2", "blocks.5.depthwise", "blocks.[6-9].pointwise"
    model = quant.calibrate(net, [batch], "mse", table={"layers": dict.fromkeys(layers, FLOAT)})
    program = tinyslim.freeze(model, batch[:1])
    x, right = test_set.normalized(slice(0, 1000), net.preprocessing), test_set.labels[:1000]
    ours, theirs = (logits.argmax(axis=1) for logits in (program.run(x), elsewhere(program, x, tmp_path / "m.onnx")))
    assert (ours == theirs).mean() >= 0.99
    assert abs((ours == right).sum() - (theirs == right).sum()) <= 2


@pytest.mark.parametrize("layer", LAYERS)
def test_another_runtime_runs_every_operation_on_both_sides(layer, rng, tmp_path):
    program = tinyslim.freeze(calibrated(EveryOperation(), rng, {layer: FLOAT}), EXAMPLE)
    x = images(rng, 32)
    expected = program.run(x)
    assert np.abs(elsewhere(program, x, tmp_path / "m.onnx") - expected).mean() <= 0.02 * np.abs(expected).max()


def test_the_biases_of_float_layers_are_not_rounded(rng):
    model = calibrated(EveryOperation(), rng, {"depthwise": FLOAT}, bias_correction=True)
    rounded = quant.round_biases(model)
    np.testing.assert_array_equal(rounded.depthwise.bias.data, model.depthwise.bias.data)
    assert (rounded.right.bias.data != model.right.bias.data).any()
    assert tinyslim.freeze(rounded, EXAMPLE).to_bytes() == tinyslim.freeze(model, EXAMPLE).to_bytes()
