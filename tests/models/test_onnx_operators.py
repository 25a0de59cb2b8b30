"""Each operator that comes in from ONNX computes what ONNX Runtime computes."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_files import Net, in_our_layout, run_elsewhere

from tinyslim import models


def assert_alike(net: Net, folder) -> None:
    path = net.save(folder / "net.onnx")
    expected = in_our_layout(run_elsewhere(path, net.images()))
    result = models.from_onnx(path)(in_our_layout(net.images())).data
    assert result.shape == expected.shape and result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=1e-5 * max(np.abs(expected).max(), 1e-3))


CASES = []


def case(build):
    """Let a net of this file be a case of the test below."""
    CASES.append(build)
    return build


def ints(net: Net, *values: int) -> str:
    return net.array(np.array(values, np.int64))


def half(net: Net) -> str:
    return net.array(np.float32(0.5))


@case
def convolution(net):
    net.conv(3, 5, strides=[2, 2], pads=[1, 0, 0, 2], kernel_shape=[3, 3])


@case
def wide_filter(net):
    net.then("Conv", net.normal(4, 3, 2, 5), pads=[0, 2, 1, 1])


@case
def same_upper(net):
    net.conv(3, 4, 4, strides=[2, 2], auto_pad="SAME_UPPER")


@case
def same_lower(net):
    net.conv(3, 4, 4, strides=[2, 2], auto_pad="SAME_LOWER")


@case
def valid(net):
    net.conv(3, 4, auto_pad="VALID")


@case
def depthwise(net):
    net.conv(3, 3, group=3, strides=[2, 2], pads=[1, 1, 1, 1], bias=False)


@case
def bias_as_an_add(net):
    net.conv(3, 4, bias=False)
    net.then("Add", net.normal(1, 4, 1, 1))


@case
def an_add_that_is_no_bias(net):
    net.conv(3, 5, bias=False)
    net.then("Add", net.normal(5))  # along the width, which is 5 too


@case
def normalisation(net):
    net.norm(3, epsilon=1e-3, momentum=0.8)
    net.then("Relu")


@case
def normalised_features(net):
    net.then("Flatten")
    net.norm(189)


@case
def activations(net):
    net.then("Relu")
    net.then("Sigmoid")


@case
def clips(net):
    net.then("Clip", half(net), "")
    net.then("Clip", "", net.array(np.float32(2)))
    net.then("Mul", net.array(np.float32(9)))
    net.then("Clip", net.array(np.float32(0)), net.array(np.float32(6)))


@case
def one_sided_clip(net):
    net.then("Clip", net.array(np.float32(0)))


@case
def arithmetic(net):
    net.then("Add", net.normal(3, 1, 1))
    net.add("Mul", half(net), net.last)
    net.then("Mul", net.normal(1, 3, 9, 7))
    net.then("Add", net.normal(7))
    net.then("Mul", net.last)


@case
def squeeze_and_excite(net):
    x = net.then("Relu")
    net.then("GlobalAveragePool")
    net.conv(3, 2, 1)
    net.then("Relu")
    net.conv(2, 3, 1)
    net.add("Mul", x, net.then("Sigmoid"))


@case
def concat_of_channels(net):
    x = net.then("Relu")
    net.add("Concat", x, net.conv(3, 2, pads=[1] * 4), axis=-3)


@case
def concat_of_lines(net):
    net.add("Concat", "images", net.then("Relu"), axis=2)


@case
def concat_of_vectors(net):
    x = net.then("Flatten")
    net.add("Identity", "images")
    net.conv(3, 4)
    y = net.then("Flatten")
    net.add("Concat", y, x, y, axis=1)
    net.then("Gemm", net.normal(189 + 2 * 140, 6))


@case
def sum_of_vectors(net):
    x = net.then("Flatten")
    net.add("GlobalAveragePool", "images")
    net.then("Flatten")
    net.then("MatMul", net.normal(3, 189))
    net.then("Add", x)
    net.then("Mul", net.normal(189))
    net.then("MatMul", net.normal(189, 4))


@case
def padding_before_a_convolution(net):
    net.then("Pad", ints(net, 0, 0, 1, 0, 0, 0, 2, 1))
    net.conv(3, 4, pads=[0, 1, 1, 0])


@case
def padding_that_stays(net):
    net.then("Pad", ints(net, 0, 0, 1, 0, 0, 0, 2, 1), net.array(np.float32(0)))
    net.then("Add", half(net))


@case
def padding_before_poolings(net):
    x = net.then("Pad", ints(net, 0, 0, 1, 1, 0, 0, 1, 1))
    a = net.then("MaxPool", kernel_shape=[3, 3], strides=[2, 2])
    b = net.add("AveragePool", x, kernel_shape=[3, 3], strides=[2, 2])
    net.add("Relu", "images")
    net.then("Pad", ints(net, 0, 0, 1, 1, 0, 0, 1, 1))
    net.add("Concat", a, b, net.then("MaxPool", kernel_shape=[3, 3], strides=[2, 2]), axis=1)


@case
def padding_by_axes(net):
    net.opset = 18
    net.then("Pad", ints(net, 2, 1), "", ints(net, -1))


@case
def max_pooling(net):
    net.then("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 1, 1])


@case
def max_pooling_rounded_up(net):
    net.then("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)


@case
def mean_with_padding(net):
    net.then("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 0, 1], count_include_pad=1)


@case
def mean_without_padding(net):
    net.then("AveragePool", kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 0, 1])


@case
def mean_of_a_padded_image_without_its_own_padding(net):
    net.then("Pad", ints(net, 0, 0, 1, 0, 0, 0, 0, 1))
    net.then("AveragePool", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")


@case
def mean_of_all(net):
    net.then("AveragePool", kernel_shape=[9, 7])
    net.then("Reshape", ints(net, 0, -1))


@case
def global_mean(net):
    net.then("GlobalAveragePool")


@case
def global_mean_of_a_square(net):
    net.conv(3, 4, 4, strides=[2, 2], pads=[1, 1, 0, 2])
    net.then("GlobalAveragePool")
    net.conv(4, 2, 1)
    net.then("Flatten", axis=-3)


@case
def gemm(net):
    net.then("Flatten")
    net.then("Gemm", net.normal(5, 189), net.normal(1, 5), alpha=0.5, beta=2.0, transB=1)


@case
def gemm_with_one_bias(net):
    net.then("Flatten")
    net.then("Gemm", net.normal(189, 5), half(net))


@case
def matrix_product(net):
    net.then("Reshape", ints(net, -1, 189))
    net.then("MatMul", net.normal(189, 8))
    net.add("Add", net.normal(8), net.last)
    net.then("Relu")
    net.then("MatMul", net.normal(8, 4))


@case
def reshape(net):
    net.conv(3, 4, strides=[2, 2])
    net.then("Reshape", ints(net, 0, 0, 4, 3))
    net.then("Reshape", ints(net, 0, -1))
    net.then("Flatten")


@case
def flatten_at_the_end(net):
    net.then("Flatten")


@case
def new_order_of_features(net):
    net.then("Flatten")
    net.then("Gather", net.array(np.random.default_rng(2).permutation(189)), axis=1)


@case
def means(net):
    net.then("ReduceMean", axes=[1], keepdims=1)
    net.then("ReduceMean", axes=[-1, -2], keepdims=0)


@case
def means_by_input(net):
    net.opset = 18
    net.then("ReduceMean", ints(net, 2, 3), keepdims=0)


@case
def softmax(net):
    net.then("Softmax", axis=1)
    net.then("Flatten")
    net.then("Softmax")


@case
def softmax_of_old(net):
    net.opset = 11
    net.then("GlobalAveragePool")
    net.then("Softmax")
    net.then("Flatten")
    net.then("Softmax")


@case
def constants(net):
    net.add("Constant", value_floats=[0.5, 1.0, -2.0])
    scale = net.then("Identity")
    net.add("GlobalAveragePool", "images")
    net.then("Flatten")
    net.then("Mul", scale)
    scaled = net.last
    net.add("Add", scaled, net.add("Constant", value_float=3.0))


@case
def dropout(net):
    net.then("Dropout", net.array(np.float32(0.3)))


@pytest.mark.parametrize("build", CASES, ids=lambda build: build.__name__)
def test_it_computes_what_onnx_runtime_does(build, tmp_path):
    net = Net()
    build(net)
    assert_alike(net, tmp_path)


@pytest.mark.parametrize("opset", range(11, 21))
def test_every_opset_is_read(opset, tmp_path):
    net = Net(opset=opset)
    net.then("Pad", net.array(np.array([0, 0, 1, 1, 0, 0, 1, 1])))
    net.conv(3, 6)
    net.norm(6)
    net.then("Clip", net.array(np.float32(0)), net.array(np.float32(6)))
    net.then("AveragePool", kernel_shape=[2, 2], strides=[2, 2], count_include_pad=1)
    net.then("ReduceMean", ints(net, 2, 3)) if opset >= 18 else net.then("ReduceMean", axes=[2, 3])
    net.then("Reshape", ints(net, -1, 6))
    net.then("Gemm", net.normal(6, 4), net.normal(4))
    net.then("Softmax", axis=1)
    assert_alike(net, tmp_path)


@settings(max_examples=25)
@given(st.data())
def test_random_networks_compute_what_onnx_runtime_does(tmp_path_factory, data):
    """Convolutions, norms, poolings and branches in any order, of odd sizes."""
    draw = data.draw
    shape = (draw(st.integers(1, 5)), draw(st.integers(5, 11)), draw(st.integers(5, 11)))
    net, channels = Net(shape, draw(st.integers(11, 17)), seed=draw(st.integers(0, 99))), shape[0]
    for _ in range(draw(st.integers(1, 6))):
        step = draw(st.sampled_from(["dense", "depthwise", "norm", "relu", "pool", "mean", "sum", "concat", "scale"]))
        pads, stride = [draw(st.integers(0, 1)) for _ in range(4)], [draw(st.integers(1, 2))] * 2
        window = {"kernel_shape": [2, 2], "strides": stride, "pads": pads}
        before = net.last
        if step == "dense":
            size, after = draw(st.integers(1, 3)), draw(st.integers(1, 6))
            net.conv(channels, after, size, strides=stride, pads=[side + 1 for side in pads])
            channels = after
        elif step == "depthwise":
            net.conv(channels, channels, 3, channels, strides=stride, pads=[side + 1 for side in pads])
        elif step == "norm":
            net.norm(channels)
        elif step == "relu":
            net.then("Relu")
        elif step == "pool":
            net.then("MaxPool", **window)
        elif step == "mean":
            net.then("AveragePool", **window, count_include_pad=draw(st.integers(0, 1)))
        elif step == "sum":
            net.add("Add", before, net.conv(channels, channels, 1))
        elif step == "concat":
            net.add("Concat", net.conv(channels, 3, 1), before, axis=1)
            channels += 3
        else:
            net.then("Mul", net.normal(channels, 1, 1))
    net.then("Flatten")
    assert_alike(net, tmp_path_factory.mktemp("random"))


def test_a_layer_in_a_wrong_order_is_seen(tmp_path):
    """The check above can fail: rows of a linear layer that are not moved give other numbers."""
    net = Net()
    gemm(net)
    path = net.save(tmp_path / "net.onnx")
    model = models.from_onnx(path)
    layer = next(layer for layer in model.modules() if getattr(layer, "op", "") == "linear")
    order = np.arange(189).reshape(9, 7, 3).transpose(2, 0, 1).reshape(-1)
    layer.weight.data = layer.weight.data[order]
    result = model(in_our_layout(net.images())).data
    assert np.abs(result - run_elsewhere(path, net.images())).max() > 0.1
