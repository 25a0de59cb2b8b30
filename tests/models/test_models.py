"""The zoo: shapes, seeds, what each network takes, weights that ship."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import tinyslim.functional as F
from tinyslim import graph, models, nn, train
from tinyslim.models import pretrained


def pointwise_widths(model) -> list[int]:
    return [block.pointwise.conv.weight.shape[-1] for block in model.blocks]


def test_mobilenet_v1_has_the_blocks_of_its_paper():
    model = models.mobilenet_v1()
    assert pointwise_widths(model) == [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]
    assert [block.depthwise.stride for block in model.blocks] == [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]
    assert model.stem.conv.stride == 2
    assert model.classifier.weight.shape == (1024, 1000)


def test_width_multiplies_all_channels():
    model = models.mobilenet_v1(width=0.25, num_classes=10, in_channels=1)
    assert model.stem.conv.weight.shape == (3, 3, 1, 8)
    assert pointwise_widths(model)[::6] == [16, 128, 256]
    assert pointwise_widths(models.mobilenet_v1(width=0.01)) == [1, 1, 1, 2, 2, 5, 5, 5, 5, 5, 5, 10, 10]


def test_strides_of_the_blocks_can_be_given():
    strides = (1, 2, 1, 2, 1, 1, 1, 1, 1, 1, 1, 2, 1)
    model = models.mobilenet_v1(width=0.125, stem_stride=1, strides=strides)
    assert graph.trace(model, np.zeros((1, 32, 32, 3)))["blocks.12.pointwise.relu"].shape == (1, 4, 4, 128)


def test_resnet20_has_twenty_layers_and_shortcuts_of_1x1_convolutions():
    model = models.resnet20()
    shapes = {path: m.weight.shape for path, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    projections = {path: shape for path, shape in shapes.items() if "projection" in path}
    assert len(shapes) - len(projections) == 20
    assert list(projections.values()) == [(1, 1, 16, 32), (1, 1, 32, 64)]
    assert graph.trace(model, np.zeros((1, 32, 32, 3)))["pool"].inputs[0].shape == (1, 8, 8, 64)


MAKERS = {
    "mobilenet_v1": lambda seed=0: models.mobilenet_v1(5, width=0.125, in_channels=1, stem_stride=1, seed=seed),
    "resnet20": lambda seed=0: models.resnet20(5, in_channels=1, seed=seed),
}


@pytest.mark.parametrize("name", MAKERS)
def test_seed_decides_every_weight(name):
    first, same, other = MAKERS[name](), MAKERS[name](), MAKERS[name](seed=1)
    for path, array in first.state_dict().items():
        assert_array_equal(same.state_dict()[path], array)
        if array.ndim > 1:
            assert (other.state_dict()[path] != array).any(), path


@pytest.mark.parametrize("name", MAKERS)
def test_every_parameter_gets_a_gradient(name, rng):
    model = MAKERS[name]()
    logits = model(rng.standard_normal((3, 16, 16, 1)).astype(np.float32))
    assert logits.shape == (3, 5)
    F.cross_entropy(logits, [0, 1, 4]).backward()
    for path, tensor in model.named_parameters():
        assert tensor.grad.shape == tensor.shape
        assert np.isfinite(tensor.grad).all(), path


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0}, r"`width` \(=0\) must be above 0"),
        ({"stem_stride": 3}, r"`stem_stride` \(=3\) must be 1 or 2"),
        ({"strides": (1, 2)}, r"`strides` \(=\(1, 2\)\) must be 13 numbers, each 1 or 2"),
        ({"strides": (3,) * 13}, r"must be 13 numbers, each 1 or 2"),
        ({"num_classes": 0}, r"`outputs` \(=0\)"),
        ({"in_channels": 0}, r"`cin` \(=0\)"),
        ({"pretrained": "mnist"}, r"`pretrained` \(='mnist'\): no weights of mobilenet_v1_1 ship for it"),
    ],
)
def test_impossible_setting_is_refused_by_name(settings, message):
    with pytest.raises(ValueError, match=message):
        models.mobilenet_v1(**settings)


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Weights of a small MobileNet as they would ship, in a folder of their own."""
    model = MAKERS["mobilenet_v1"](seed=7)
    model.preprocessing, model.input_shape = ((0.25,), (0.5,)), (28, 28, 1)
    path = tmp_path / "mobilenet_v1_0.125-dots.npz"
    train.save(model, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps({"sha256": digest, "top1": 0.9}))
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    return path, model


def test_weights_that_ship_come_with_their_normalisation_in_eval_mode(shipped):
    _, trained = shipped
    model = models.mobilenet_v1(5, width=0.125, in_channels=1, stem_stride=1, pretrained="dots")
    for name, array in trained.state_dict().items():
        assert_array_equal(model.state_dict()[name], array)
    assert (model.preprocessing, model.input_shape) == (((0.25,), (0.5,)), (28, 28, 1))
    assert not model.training
    assert pretrained.facts("mobilenet_v1_0.125", "dots")["top1"] == 0.9


def test_weights_that_were_changed_are_refused(shipped):
    path, _ = shipped
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ValueError, match=r"has the sha256 .*, expected .*: install tinyslim again"):
        models.mobilenet_v1(5, width=0.125, in_channels=1, stem_stride=1, pretrained="dots")


def test_weights_for_another_number_of_classes_are_refused(shipped):
    with pytest.raises(ValueError, match=r"classifier\.weight has shape \(128, 5\), expected \(128, 7\)"):
        models.mobilenet_v1(7, width=0.125, in_channels=1, stem_stride=1, pretrained="dots")


def test_weights_that_do_not_ship_are_refused_with_those_that_do(shipped):
    with pytest.raises(ValueError, match=r"no weights of resnet20 ship for it; there are mobilenet_v1_0\.125-dots"):
        models.resnet20(pretrained="dots")
