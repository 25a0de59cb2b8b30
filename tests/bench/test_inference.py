"""Programs are timed beside networks that compute the same, and only after they were seen to."""

from __future__ import annotations

import numpy as np
import pytest

from tinyslim.bench import compare_models, compare_pruned, inference
from tinyslim.bench.networks import mobilenet_programs, random_images
from tinyslim.bench.peers import load_peers

SMALL = {"width": 0.125, "num_classes": 5}


@pytest.fixture(scope="module")
def programs():
    return mobilenet_programs(32, **SMALL)


def test_both_kinds_of_program_are_timed_and_compared_with_each_other():
    (compared,) = compare_models(load_peers(False), repeats=4, batches=(1, 2), side=32, **SMALL)
    assert [row.work for row in compared.rows] == [
        "float32, batch 1", "int8, batch 1", "float32, batch 2", "int8, batch 2",
    ]  # fmt: skip
    assert compared.rows[3].operations == 2 * compared.rows[0].operations > 0
    ours = [row.timings["tinyslim"].median for row in compared.rows]
    assert compared.rows[1].figures == {"ours, int8 / float32": ours[1] / ours[0]}


def test_pruned_programs_are_timed_beside_the_whole_one():
    (compared,) = compare_pruned(load_peers(False), repeats=4, batches=(2,), side=32, roundings=(2,), **SMALL)
    assert [row.work for row in compared.rows] == ["float32, batch 2", "int8, batch 2"]
    for row in compared.rows:
        medians = {name: timing.median for name, timing in row.timings.items()}
        assert [*medians] == ["tinyslim", "unpruned", "widths of 2"]
        assert row.figures["widths of 2 / unpruned"] == medians["widths of 2"] / medians["unpruned"]
    assert any("any widths (tinyslim): 50." in note for note in compared.notes)


def test_int8_logits_follow_the_float_ones(programs):
    x = random_images(4, (32, 32, 3))
    inference.check_logits("int8", programs.int8.run(x), {"float32": lambda: programs.float32.run(x)})


@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_a_peer_that_computes_something_else_is_not_timed(kind, programs):
    x = random_images(4, (32, 32, 3))
    ours = programs.float32.run(x)
    inference.check_logits(kind, ours, {"right": lambda: ours + 1e-6})
    with pytest.raises(ValueError, match="wrong gives other logits than the Program"):
        inference.check_logits(kind, ours, {"right": lambda: ours, "wrong": lambda: ours[:, ::-1]})
    with pytest.raises(ValueError, match="nothing gives other logits"):
        inference.check_logits(kind, ours, {"nothing": lambda: np.full_like(ours, np.nan)})


def test_pytorch_runs_our_weights(programs):
    pytest.importorskip("torch")
    from tinyslim.bench.kernel_peers import torch_images
    from tinyslim.bench.torch_networks import to_torch

    torch, x = load_peers(True).torch, random_images(2, (32, 32, 3))
    images = torch_images(torch, x, torch.channels_last)
    with torch.inference_mode():
        run = to_torch(torch, programs.float32)
        inference.check_logits("float32", programs.float32.run(x), {"PyTorch": lambda: run(images).numpy()})


def test_onnx_runtime_runs_our_weights_and_quantises_every_convolution(programs):
    pytest.importorskip("onnxruntime")
    from tinyslim.bench.onnx_networks import quantized, session, to_onnx

    peers, x = load_peers(True), random_images(2, (32, 32, 3))
    model, images = to_onnx(programs.float32, 2), np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    run = session(peers, model)
    inference.check_logits("float32", programs.float32.run(x), {"it": lambda: run.run(None, {"images": images})[0]})
    _, operators = quantized(peers, model, images, "QUInt8")
    assert operators["QLinearConv"] == 27 and "Conv" not in operators
