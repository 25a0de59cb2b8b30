"""Networks from PyTorch, and our own exported ones, come in and go the whole way: trained, pruned, int8, out again.

The files in onnx_fixtures/ are made by make_onnx_fixtures.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx_files import Net, in_our_layout, run_elsewhere

import tinyslim
import tinyslim.functional as F
from tinyslim import data, deploy, graph, models, nn, no_grad, optim, prune, quant, train

FOLDER = Path(__file__).parent / "onnx_fixtures"
NAMES = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v2_folded", "resnet")


@pytest.fixture(scope="module")
def stored():
    """PyTorch's logits by network, and the images, in our layout."""
    with np.load(FOLDER / "logits.npz") as arrays:
        return {name: in_our_layout(arrays[name]) for name in arrays.files}


def arrived(name: str):
    return models.from_onnx(FOLDER / f"{name}.onnx")


def assert_close(result: np.ndarray, expected: np.ndarray, relative: float = 1e-4) -> None:
    np.testing.assert_allclose(result, expected, rtol=0, atol=relative * np.abs(expected).max())


def noise(count: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 32, 32, 3), np.float32)


def trained(model, steps: int = 4):
    """The model after some steps on noise and random labels."""
    optimizer, rng = optim.SGD(model.train().parameters(), 0.01, momentum=0.9), np.random.default_rng(3)
    for step in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(noise(16, step)), rng.integers(0, 10, 16)).backward()
        optimizer.step()
    return model.eval()


@pytest.mark.parametrize("name", NAMES)
def test_a_network_from_pytorch_gives_pytorchs_logits(name, stored):
    assert_close(arrived(name)(stored["images"]).data, stored[name])


def test_layers_keep_the_names_that_they_had_in_pytorch():
    model = arrived("resnet")
    assert isinstance(model.get("blocks.2.downsample.1"), nn.BatchNorm2d)
    assert model.get("fc").weight.shape == (96, 10)
    assert model.get("stem.1").eps == 1e-5 and model.get("stem.1").momentum == pytest.approx(0.1)
    assert arrived("mobilenet_v1").get("features.1.0").op == "depthwise_conv2d"


@pytest.mark.parametrize("name", NAMES)
def test_a_network_that_arrived_is_halved_trained_and_leaves_as_int8(name, stored, tmp_path):
    """Cutting checks itself that the smaller network is the masked one."""
    model, example = arrived(name), stored["images"][:1]
    smaller = prune.uniform(model, example, target_flops=0.5)
    left = graph.summary(smaller, example).flops / graph.summary(model, example).flops
    assert 0.4 <= left <= 0.55
    prepared = trained(quant.prepare(trained(smaller), example))
    program = tinyslim.freeze(prepared, example)
    assert program.kind == "int8"
    deploy.export_onnx(program, tmp_path / "int8.onnx")
    images = noise(64)
    theirs = run_elsewhere(tmp_path / "int8.onnx", images.transpose(0, 3, 1, 2).copy())
    assert np.abs(theirs - program.run(images)).mean() <= 0.02 * np.abs(theirs).max()


@pytest.mark.parametrize("name", NAMES)
def test_a_network_that_arrived_is_calibrated_without_training(name, stored):
    """The int8 Program follows PyTorch's own logits, on the images that they are stored for."""
    model, images = arrived(name), stored["images"]
    calibrated = quant.calibrate(model, [noise(16), images], "mse", bias_correction=True)
    program = tinyslim.freeze(calibrated, images[:1])
    assert program.kind == "int8"
    correlation = np.corrcoef(program.run(images).ravel(), stored[name].ravel())[0, 1]
    assert correlation > 0.95


@pytest.mark.parametrize("name", NAMES)
def test_training_moves_every_weight_and_the_running_statistics(name):
    """A bias before a pointwise convolution and its norm has no gradient: the norm takes any constant away."""
    model = arrived(name)
    before = {key: array.copy() for key, array in model.state_dict().items()}
    trained(model, 1)
    assert all(not np.array_equal(array, before[key]) for key, array in model.state_dict().items() if "bias" not in key)


def test_a_network_that_arrived_is_saved_and_loads_without_its_file(stored, tmp_path):
    model = arrived("mobilenet_v2")
    train.save(model, tmp_path / "model.npz")
    loaded = train.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded(stored["images"]).data, model(stored["images"]).data)
    assert loaded.input_shape == (32, 32, 3)


def test_an_array_of_its_own_is_trained_and_saved(tmp_path):
    net = Net()
    net.then("Mul", net.normal(3, 1, 1))
    net.then("Clip", net.array(np.float32(-1)), net.array(np.float32(2)))
    net.then("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    model = models.from_onnx(net.save(tmp_path / "net.onnx"))
    assert [name for name, _ in model.named_parameters()] == ["array0"]
    train.save(model, tmp_path / "model.npz")
    x = in_our_layout(net.images())
    np.testing.assert_array_equal(train.load(tmp_path / "model.npz")(x).data, model(x).data)


ZOO = {
    "mobilenet_v1": lambda: models.mobilenet_v1(10, width=0.25, stem_stride=1),
    "mobilenet_v2": lambda: models.mobilenet_v2(10, width=0.25, stem_stride=1),
    "resnet20": models.resnet20,
    "resnet18": lambda: models.resnet18(10, width=0.125, stem_stride=1),
}


def lived_in(model):
    with no_grad():
        for seed in range(3):
            model.train()(noise(8, seed))
    return model.eval()


@pytest.mark.parametrize("name", ZOO)
def test_what_we_export_comes_back_as_the_float_program(name, tmp_path):
    example, images = np.zeros((1, 32, 32, 3), np.float32), noise(8)
    model = prune.uniform(lived_in(ZOO[name]()), example, target_flops=0.3)
    model.preprocessing = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
    program = tinyslim.freeze(model, example)
    deploy.export_onnx(program, tmp_path / "net.onnx")
    back = models.from_onnx(tmp_path / "net.onnx")
    assert_close(back(images).data, program.run(images))
    assert back.preprocessing == model.preprocessing
    assert_close(tinyslim.freeze(back, example).run(images), program.run(images))


@pytest.mark.parametrize("name", ZOO)
def test_an_int8_export_comes_back_with_its_weights_and_is_int8_again(name, tmp_path):
    """Each filter's largest integer is 127, so `prepare` finds the steps of the file, and all of its integers."""
    example, images = np.zeros((1, 32, 32, 3), np.float32), noise(64)
    program = tinyslim.freeze(lived_in(quant.prepare(lived_in(ZOO[name]()), example)), example)
    deploy.export_onnx(program, tmp_path / "net.onnx")
    back = models.from_onnx(tmp_path / "net.onnx")
    again = tinyslim.freeze(lived_in(quant.prepare(back, example)), example)
    own, new = ([op.arrays["weight"] for op in p.ops if "weight" in op.arrays] for p in (program, again))
    assert len(own) == len(new) and all(np.array_equal(a, b) for a, b in zip(own, new, strict=True))
    spread = program.run(images).std()
    for result in (back(images).data, again.run(images)):
        # Random networks are mostly noise: the simulation of MobileNetV2 is off by 0.12 of the spread itself.
        assert np.abs(result - program.run(images)).mean() <= 0.25 * spread


def test_an_int8_export_of_the_shipped_network_comes_back_with_its_answers(tmp_path):
    model = models.mobilenet_v1(num_classes=10, width=0.25, in_channels=1, stem_stride=1, pretrained="fashion_mnist")
    train_set, test_set = data.load("fashion_mnist_mini")
    example, images = test_set.normalized(slice(0, 1)), test_set.normalized(slice(0, 1000))

    def int8(network):
        prepared = quant.prepare(network, example).train()
        with no_grad():
            for start in range(0, 256, 64):
                prepared(train_set.normalized(slice(start, start + 64)))
        return tinyslim.freeze(prepared.eval(), example)

    program = int8(model.eval())
    deploy.export_onnx(program, tmp_path / "net.onnx")
    back = models.from_onnx(tmp_path / "net.onnx")
    expected = program.run(images).argmax(axis=1)
    for result in (back(images).data, int8(back).run(images)):
        assert (result.argmax(axis=1) == expected).mean() >= 0.98
        right = test_set.labels[:1000]
        assert abs((result.argmax(axis=1) == right).mean() - (expected == right).mean()) <= 0.01


def quantized(opset: int, weight_axis: int = 0) -> Net:
    """As other tools write it: a ReLU that its quantiser has taken in, a ReLU6 too, and logits that are bytes."""
    net = Net(opset=opset)

    def pair(scale: float, zero: int, kind=np.uint8):
        grid = net.array(np.float32(scale)), net.array(kind(zero))
        net.then("QuantizeLinear", *grid)
        net.then("DequantizeLinear", *grid)

    def weight(integers: np.ndarray, axis: int) -> str:
        count = integers.shape[axis]
        scale = net.array(net.rng.uniform(0.002, 0.01, count).astype(np.float32))
        before, name = net.last, net.array(integers)
        result = net.add("DequantizeLinear", name, scale, net.array(np.zeros(count, np.int8)), axis=axis)
        net.last = before
        return result

    pair(0.02, 128)
    net.then("Conv", weight(net.rng.integers(-127, 128, (8, 3, 3, 3)).astype(np.int8), 0), net.normal(8))
    pair(0.01, 0)
    net.then("Conv", weight(net.rng.integers(-127, 128, (8, 1, 3, 3)).astype(np.int8), 0), group=8)
    pair(6 / 255, 0)
    net.then("GlobalAveragePool")
    pair(0.02, -128, np.int8)
    net.then("Flatten")
    net.then("Gemm", weight(net.rng.integers(-127, 128, (8, 5)).astype(np.int8), 1), net.normal(5))
    pair(0.05, 100)
    return net


@pytest.mark.parametrize("opset", [13, 19])
def test_a_file_that_others_quantised_keeps_what_its_bytes_cut_off(opset, tmp_path):
    net = quantized(opset)
    path = net.save(tmp_path / "net.onnx")
    model = models.from_onnx(path)
    assert [node.op for node in model.graph] == [
        "input", "clip", "conv2d", "clip", "depthwise_conv2d", "relu6", "global_avg_pool2d", "clip", "linear"
    ]  # fmt: skip
    images = net.images(64)
    expected, result = run_elsewhere(path, images), model(in_our_layout(images)).data
    assert np.abs(result - expected).max() <= 0.1  # two steps of the logits
    example = in_our_layout(images)[:1]
    prepared = quant.prepare(model, example).train()
    with no_grad():
        prepared(in_our_layout(images))
    program = tinyslim.freeze(prepared.eval(), example)
    assert np.abs(program.run(in_our_layout(images)) - expected).max() <= 0.15
