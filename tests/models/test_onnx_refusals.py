"""What can't be read is one clear error: operators that are unknown, files that are damaged, files that lie."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx
from onnx import TensorProto, helper
from onnx_files import Net

from tinyslim import models

CASES = {}


def refused(told: str):
    """Let a net of this file be a case: its error must hold `told`."""

    def enter(build):
        CASES[build.__name__] = build, told
        return build

    return enter


def ints(net: Net, *values: int) -> str:
    return net.array(np.array(values, np.int64))


@refused("these operators are not known here: the node 'node erf0' (Erf); the node 'node silu.x1' (silu.X)")
def unknown_operators(net):
    net.then("Erf")
    net.then("Relu")
    net.nodes.insert(1, helper.make_node("X", ["erf0"], ["x"], "node silu.x1", domain="silu"))
    net.add("Add", "x", net.last)


@refused("the node 'node conv0' (Conv): has `group` (=2) for 4 channels in and 6 out; only 1 (dense) and depthwise")
def grouped_convolution(net):
    net.shape = (4, 9, 7)
    net.conv(4, 6, group=2)


@refused("`group` (=3) for 3 channels in and 6 out")
def depthwise_with_a_multiplier(net):
    net.conv(3, 6, group=3)


@refused("which take 4 channels, but 3 come in")
def convolution_of_other_channels(net):
    net.conv(4, 6)


@refused("has a weight of the shape (4, 3, 2); expected (cout, cin, kh, kw)")
def convolution_of_lines(net):
    net.then("Conv", net.normal(4, 3, 2))


@refused("has `dilations` (=[2, 2]); only 1 is read")
def dilated_convolution(net):
    net.conv(3, 4, dilations=[2, 2])


@refused("has `strides` (=[1, 2]); expected two equal numbers")
def uneven_strides(net):
    net.conv(3, 4, strides=[1, 2])


@refused("has `pads` (=[-1, 0, 0, 0]); expected four numbers from 0")
def negative_padding(net):
    net.conv(3, 4, pads=[-1, 0, 0, 0])


@refused("has `auto_pad` (='SAME'); expected NOTSET, VALID, SAME_UPPER or SAME_LOWER")
def unknown_padding(net):
    net.conv(3, 4, auto_pad="SAME")


@refused("has `kernel_shape` (=[5, 5]), but its weight is (3, 3)")
def another_size(net):
    net.conv(3, 4, kernel_shape=[5, 5])


@refused("has `strides` (='2'), which is of another type than ONNX says")
def attribute_of_another_type(net):
    net.conv(3, 4, strides="2")


@refused("takes a computed weight; expected an initialiser or a constant")
def computed_weight(net):
    net.then("Conv", net.add("Relu", "images"))


@refused("has a bias of the shape (3,); expected (4,)")
def short_bias(net):
    net.then("Conv", net.normal(4, 3, 1, 1), net.normal(3))


@refused("has a weight that is not finite everywhere")
def weight_that_is_no_number(net):
    net.then("Conv", net.array(np.full((4, 3, 1, 1), np.nan, np.float32)))


@refused("has a weight of int64; expected real numbers")
def weight_of_integers(net):
    net.then("Conv", net.array(np.ones((4, 3, 1, 1), np.int64)))


@refused("a window of 30×30 does not fit")
def window_that_does_not_fit(net):
    net.conv(3, 4, 30)


@refused("has the shape (4105, 4103, 1024): more than 134,217,728 numbers an image")
def result_that_fills_the_memory(net):
    net.then("Conv", net.normal(1024, 3, 1, 1), pads=[4096, 4096, 0, 0])


@refused("takes a vector of 189 features; expected an image (n, c, h, w)")
def convolution_of_a_vector(net):
    net.then("Flatten")
    net.conv(189, 4)


@refused("has a variance of -1 and `epsilon` (=1e-05); their sum must be above 0")
def negative_variance(net):
    one = net.array(np.ones(3, np.float32))
    net.then("BatchNormalization", one, one, one, net.array(-np.ones(3, np.float32)))


@refused("has a scale of the shape (4,); expected (3,)")
def norm_of_other_channels(net):
    net.norm(4)


@refused("has `transA` (=1), which mixes the images of a batch")
def transposed_batch(net):
    net.then("Flatten")
    net.then("Gemm", net.normal(189, 2), transA=1)


@refused("has a weight of the shape (5, 2); expected 189 rows")
def linear_of_other_features(net):
    net.then("Flatten")
    net.then("Gemm", net.normal(5, 2))


@refused("takes an image; expected a vector")
def linear_of_an_image(net):
    net.then("MatMul", net.normal(7, 7))


@refused("has `min` (=1.0) above `max` (=0.0)")
def empty_clip(net):
    net.then("Clip", net.array(np.float32(1)), net.array(np.float32(0)))


@refused("pads with `mode` (='reflect')")
def reflection(net):
    net.then("Pad", ints(net, 0, 0, 1, 1, 0, 0, 1, 1), mode="reflect")


@refused("for the batch or the channels; only height and width are read")
def padded_channels(net):
    net.then("Pad", ints(net, 0, 1, 0, 0, 0, 0, 0, 0))


@refused("only square windows are read")
def oblong_pooling(net):
    net.then("MaxPool", kernel_shape=[2, 3])


@refused("as wide as its window (=(2, 2)), which then sees no pixel")
def pooling_of_padding_alone(net):
    net.then("MaxPool", kernel_shape=[2, 2], pads=[2, 0, 0, 0])


@refused("which is not the result that is read of its node")
def places_of_maxima(net):
    net.add("MaxPool", "images", results=2, kernel_shape=[2, 2])
    net.add("Relu", "maxpool0_1")


@refused("has `axis` (=2); only 1 is read")
def flatten_of_a_part(net):
    net.then("Flatten", axis=2)


@refused("brings (n, 3, 9, 7) to the shape [-1, 9, 21]; only a flatten is read")
def reshape_to_something(net):
    net.then("Reshape", ints(net, -1, 9, 21))


@refused("takes a computed shape; expected an initialiser or a constant")
def computed_shape(net):
    net.then("Reshape", net.add("Relu", "images"))


@refused("has no `axes`, so it would mix the images of a batch")
def mean_of_everything(net):
    net.then("ReduceMean")


@refused("has `axis` (=0); expected one of the 4 but the batch")
def concat_of_batches(net):
    net.add("Concat", "images", "images", axis=0)


@refused("has `axis` (=1) in opset 11, where it runs over all later axes too")
def softmax_over_an_image(net):
    net.opset = 11
    net.then("Softmax", axis=1)


@refused("picks elements by number; only a new order of a vector's features is read")
def gather_of_some(net):
    net.then("Flatten")
    net.then("Gather", ints(net, 0, 0), axis=1)


@refused("which has numbers for each image of a batch")
def a_number_for_each_image(net):
    net.then("Add", net.normal(2, 1, 1, 1))


@refused("takes real numbers; expected what QuantizeLinear gives")
def dequantised_reals(net):
    net.then("DequantizeLinear", net.array(np.float32(1)), net.array(np.uint8(0)))


@refused("takes integers, which only DequantizeLinear is read with")
def relu_of_integers(net):
    net.then("QuantizeLinear", net.array(np.float32(1)), net.array(np.uint8(0)))
    net.then("Relu")


@refused("has the scale 0.0; expected positive numbers")
def scale_of_zero(net):
    net.then("QuantizeLinear", net.array(np.float32(0)), net.array(np.uint8(0)))
    net.then("DequantizeLinear", net.array(np.float32(0)), net.array(np.uint8(0)))


@refused("reads with Steps(scale=2.0, zero_point=0, qmin=0, qmax=255) what was written with Steps(scale=1.0")
def another_scale(net):
    net.then("QuantizeLinear", net.array(np.float32(1)), net.array(np.uint8(0)))
    net.then("DequantizeLinear", net.array(np.float32(2)), net.array(np.uint8(0)))


@refused("has 3 scales and `axis` (=1) for an array of the shape (4, 2, 1, 1)")
def scales_of_other_channels(net):
    grid = net.array(np.ones(3, np.float32)), net.array(np.zeros(3, np.int8))
    weight = net.add("DequantizeLinear", net.array(np.ones((4, 2, 1, 1), np.int8)), *grid, axis=1)
    net.add("Conv", "images", weight)


@refused("the node 'conv0' (Conv) takes 'lost', which no initialiser holds and no node before it gives")
def missing_initialiser(net):
    net.add("Conv", "images", "lost")
    net.nodes[-1].name = "conv0"


@refused("or the nodes go round in a cycle")
def cycle(net):
    net.add("Add", "images", "relu1")
    net.add("Relu", "add0")


@refused("both give 'relu0'")
def a_result_that_is_given_twice(net):
    net.then("Relu")
    net.nodes.append(net.nodes[0])


@refused("its output 'constant0' does not depend on its input")
def output_of_constants(net):
    net.add("Constant", value_float=1.0)


@refused("it has opset 10; 11 to 22 are read")
def old_opset(net):
    net.then("Relu")
    net.opset = 10


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_in_one_line_that_says_why(name, tmp_path):
    net = Net()
    build, told = CASES[name]
    build(net)
    path = net.save(tmp_path / "net.onnx")
    with pytest.raises(ValueError, match=re.escape(told)) as caught:
        models.from_onnx(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"dims": ("n", 3, "h", "w")}, "only the batch may be open"),
        ({"dims": ("n", 3, 0, 7)}, "only the batch may be open"),
        ({"dims": ("n", 3, 9)}, "expected (n, c, h, w) or (n, features)"),
        ({"dims": (1, 3, 1 << 20, 1 << 20)}, "more than 134,217,728 numbers an image"),
        ({"kind": TensorProto.UINT8}, "its input 'images' is UINT8; expected one of FLOAT"),
        ({"outputs": ["relu0", "relu1"]}, "it has the outputs 'relu0', 'relu1'; expected one output"),
        ({"outputs": ["lost"]}, "no node gives the output 'lost'"),
    ],
)
def test_what_goes_in_and_out_must_be_one_image_and_one_result(settings, told, tmp_path):
    net = Net()
    net.then("Relu")
    net.then("Relu")
    with pytest.raises(ValueError, match=re.escape(told)):
        models.from_onnx(net.save(tmp_path / "net.onnx", **settings))


def network(folder):
    net = Net()
    net.conv(3, 4)
    net.then("GlobalAveragePool")
    net.then("Flatten")
    return net.save(folder / "net.onnx")


def test_a_file_that_is_cut_off_anywhere_is_an_error(tmp_path):
    whole = network(tmp_path).read_bytes()
    path = tmp_path / "short.onnx"
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="can't be read"):
            models.from_onnx(path)


def test_a_file_with_a_wrong_byte_is_a_network_or_an_error(tmp_path):
    whole, rng = network(tmp_path).read_bytes(), np.random.default_rng(0)
    path, read = tmp_path / "wrong.onnx", 0
    for _ in range(400):
        wrong = bytearray(whole)
        wrong[rng.integers(len(whole))] = rng.integers(256)
        path.write_bytes(wrong)
        try:
            models.from_onnx(path)
            read += 1
        except ValueError as error:
            assert "can't be read" in str(error)
    assert 0 < read < 400


def test_something_else_and_nothing_are_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        models.from_onnx(tmp_path / "none.onnx")
    with pytest.raises(ValueError, match="can't be read"):
        models.from_onnx(tmp_path)
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(ValueError, match="can't be read"):
        models.from_onnx(tmp_path / "text.onnx")


def external(folder) -> onnx.ModelProto:
    """A network whose arrays lie in a file beside it."""
    model = onnx.load(network(folder))
    onnx.save(model, folder / "net.onnx", save_as_external_data=True, location="net.data", size_threshold=0)
    return onnx.load(folder / "net.onnx", load_external_data=False)


def test_arrays_beside_the_file_are_read(tmp_path):
    expected = models.from_onnx(network(tmp_path)).state_dict()
    external(tmp_path)
    assert (tmp_path / "net.data").exists()
    found = models.from_onnx(tmp_path / "net.onnx").state_dict()
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_arrays_that_are_missing_short_or_outside_of_the_folder_are_errors(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    model = external(inner)
    data = (inner / "net.data").read_bytes()
    (inner / "net.data").write_bytes(data[:20])
    with pytest.raises(ValueError, match="the initialiser 'array0' can't be read"):
        models.from_onnx(inner / "net.onnx")
    (inner / "net.data").unlink()
    with pytest.raises(ValueError, match="the initialiser 'array0' can't be read"):
        models.from_onnx(inner / "net.onnx")
    (tmp_path / "net.data").write_bytes(data)
    for tensor in model.graph.initializer:
        tensor.external_data[0].value = "../net.data"
    (inner / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="the initialiser 'array0' can't be read"):
        models.from_onnx(inner / "net.onnx")


def test_an_array_that_claims_more_than_it_holds_is_an_error(tmp_path):
    model = onnx.load(network(tmp_path))
    model.graph.initializer[0].dims[0] = 1 << 40
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="the initialiser 'array0' can't be read"):
        models.from_onnx(tmp_path / "net.onnx")


@pytest.mark.parametrize("text", ["[0.5]", "no list", "[0.5, 0.5, 0]"])
def test_a_normalisation_that_does_not_fit_is_an_error(text, tmp_path):
    model = onnx.load(network(tmp_path))
    helper.set_model_props(model, {"tinyslim.mean": "[0.5, 0.5, 0.5]", "tinyslim.std": text})
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="its metadata"):
        models.from_onnx(tmp_path / "net.onnx")


def test_a_missing_package_is_named_with_the_line_that_installs_it(tmp_path, monkeypatch):
    path = network(tmp_path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ValueError, match=r"pip install 'tinyslim\[onnx\]'"):
        models.from_onnx(path)
