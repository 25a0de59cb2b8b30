"""Programs as ONNX files, run by ONNX Runtime."""

from __future__ import annotations

import json
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from networks import every_float_op, every_int8_op, float_mobilenet, int8_mobilenet

import tinyslim
from tinyslim import data, deploy, models, no_grad, prune, quant

FLOAT = {"every op": every_float_op, "mobilenet": float_mobilenet}
INT8 = {"every op": every_int8_op, "mobilenet": int8_mobilenet}


def run_elsewhere(path, images: np.ndarray) -> np.ndarray:
    """The logits that ONNX Runtime gives for images (n, h, w, c)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"images": np.ascontiguousarray(images.transpose(0, 3, 1, 2))})[0]


def noise(program, count: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal((count, *program.input_shape), np.float32)


@pytest.mark.parametrize("build", FLOAT.values(), ids=FLOAT)
@pytest.mark.parametrize("count", [1, 5])
def test_a_float_program_gives_the_same_logits_elsewhere(build, count, tmp_path):
    program = build(0)
    deploy.export_onnx(program, tmp_path / "x.onnx")
    expected = program.run(noise(program, count))
    result = run_elsewhere(tmp_path / "x.onnx", noise(program, count))
    np.testing.assert_allclose(result, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("build", INT8.values(), ids=INT8)
def test_an_int8_program_gives_nearly_the_same_logits_elsewhere(build, tmp_path):
    program = build(0)
    deploy.export_onnx(program, tmp_path / "x.onnx")
    expected, result = program.run(noise(program, 64)), run_elsewhere(tmp_path / "x.onnx", noise(program, 64))
    assert np.abs(result - expected).mean() <= 0.02 * np.abs(expected).max()


def magnified(multiplier: float, fraction: int) -> deploy.Program:
    """One convolution whose sums' step is `multiplier` steps of its output, with biases of 100 steps and `fraction`."""
    builder = deploy.Builder("int8", (6, 6, 1))
    x = builder.add("quantize", "input", 0, scale=0.02, zero_point=0)
    m, s = deploy.multiplier(np.full(8, multiplier))
    bias = {"bias": np.full(8, 10, np.int32), "fraction": np.full(8, fraction, np.int8)}
    x = builder.add("conv2d", "conv", x, weight=np.ones((1, 1, 1, 8), np.int8), **bias, multiplier=m, shift=s)
    x = builder.add("flatten", "flatten", x)
    builder.add("dequantize", "logits", x, scale=1.0)
    return builder.build()


@pytest.mark.parametrize("multiplier", [0.01, 1.5, 20.0])
def test_biases_between_whole_steps_are_kept_where_they_are_seen(multiplier, tmp_path):
    program, whole = magnified(multiplier, 100), magnified(multiplier, 0)
    x = np.abs(noise(program, 8)) * 0.04
    deploy.export_onnx(program, tmp_path / "x.onnx")
    result = run_elsewhere(tmp_path / "x.onnx", x)
    assert np.abs(result - program.run(x)).max() <= (multiplier < 1)
    assert multiplier < 1 or (np.abs(whole.run(x) - program.run(x)) >= 1).mean() > 0.3
    stored = {tensor.name for tensor in onnx.load(tmp_path / "x.onnx").graph.initializer}
    assert ("conv.fraction" in stored) == (multiplier > 1)
    back = models.from_onnx(tmp_path / "x.onnx")(x).data
    rounding = 0.5 * multiplier + 0.5  # of the input, which is not rounded there, and of the output
    assert np.abs(back - program.run(x)).max() <= rounding + 1e-3


def test_the_shipped_network_answers_the_same_on_real_images_in_both_kinds(tmp_path):
    model = models.mobilenet_v1(num_classes=10, width=0.25, in_channels=1, stem_stride=1, pretrained="fashion_mnist")
    train_set, test_set = data.load("fashion_mnist_mini")
    example, images = test_set.normalized(slice(0, 1)), test_set.normalized(slice(0, 1000))
    prepared = quant.prepare(model, example).train()
    with no_grad():
        for start in range(0, 256, 64):
            prepared(train_set.normalized(slice(start, start + 64)))
    for number, network in enumerate((model, prepared.eval())):
        program = tinyslim.freeze(network, example, test_set.classes)
        deploy.export_onnx(program, tmp_path / f"{number}.onnx")
        ours = program.run(images).argmax(axis=1)
        theirs = run_elsewhere(tmp_path / f"{number}.onnx", images).argmax(axis=1)
        assert (ours == theirs).mean() >= 0.99
        right = test_set.labels[:1000]
        assert abs((ours == right).sum() - (theirs == right).sum()) <= 3


def seen(model, batches: int = 3):
    """The model, its running statistics and ranges those of some batches of noise."""
    rng = np.random.default_rng(1)
    with no_grad():
        for _ in range(batches):
            model.train()(rng.standard_normal((8, 32, 32, 3), np.float32))
    return model.eval()


NETWORKS = {
    "mobilenet_v2": lambda: models.mobilenet_v2(10, width=0.25, stem_stride=1),
    "resnet20": models.resnet20,
    "resnet50": lambda: models.resnet50(10, width=0.125, stem_stride=1),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_pruned_network_leaves_in_both_kinds(name, tmp_path):
    example = np.zeros((1, 32, 32, 3), np.float32)
    smaller = prune.uniform(seen(NETWORKS[name]()), example, target_flops=0.5)
    for network, relative in ((smaller, 1e-4), (seen(quant.prepare(smaller, example)), 0.15)):
        program = tinyslim.freeze(network, example)
        deploy.export_onnx(program, tmp_path / "x.onnx")
        onnx.checker.check_model(str(tmp_path / "x.onnx"), full_check=True)
        expected, result = program.run(noise(program, 16)), run_elsewhere(tmp_path / "x.onnx", noise(program, 16))
        assert np.abs(result - expected).max() <= relative * np.abs(expected).max()


def test_a_file_states_its_opset_and_how_images_are_normalised(tmp_path):
    program = float_mobilenet(0)
    deploy.export_onnx(program, tmp_path / "x.onnx")
    model = onnx.load(tmp_path / "x.onnx")
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    facts = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert (facts["tinyslim.mean"], facts["tinyslim.std"]) == ([0.3], [0.3])


def test_the_same_program_gives_the_same_file(tmp_path):
    for name in "ab":
        deploy.export_onnx(int8_mobilenet(0), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_missing_package_is_named_with_the_line_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ValueError, match=r"pip install 'tinyslim\[onnx\]'"):
        deploy.export_onnx(float_mobilenet(0), tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())
