import numpy as np
import pytest

import tinyslim
import tinyslim.functional as F
from tinyslim import Tensor, data, models, nn, no_grad, optim, quant, train
from tinyslim.quant.calibration import observe

EXAMPLE = np.zeros((1, 16, 16, 1), np.float32)


def images(rng, n=8):
    return rng.normal(size=(n, 16, 16, 1)).astype(np.float32)


def small_net(activation=nn.ReLU):
    seed = np.random.default_rng(3)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, bias=False, seed=seed), nn.BatchNorm2d(6), activation(),
        nn.DepthwiseConv2d(6, 3, seed=seed), activation(), nn.GlobalAvgPool2d(), nn.Linear(6, 3, seed=seed),
    ).eval()  # fmt: skip


def quantizers(model):
    return {path: layer for path, layer in model.named_modules() if isinstance(layer, quant.ActivationQuantizer)}


def test_histograms_count_what_the_float_network_computes(rng):
    net, batches = small_net(), [images(rng), images(rng, 3)]
    found = observe(quant.prepare(net, EXAMPLE).eval(), batches)
    x = np.concatenate(batches)
    with no_grad():
        for path, layers in {"quantizers.input": 0, "quantizers.2": 3, "quantizers.4": 5, "quantizers.5": 6}.items():
            y = Tensor(x)
            for layer in list(net)[:layers]:
                y = layer(y)
            assert found[path].total == y.size
            assert found[path].largest == pytest.approx(np.abs(y.data).max(), rel=1e-5)


def test_abs_max_covers_the_largest_value_of_all_batches(rng):
    batches = [images(rng), 3 * images(rng), images(rng)]
    grid = quant.calibrate(small_net(), batches).get("quantizers.input").grid()
    assert grid.scale * 127 == pytest.approx(np.abs(batches[1]).max(), rel=1e-6)


@pytest.mark.parametrize("method", ["percentile", "mse", "kl"])
def test_the_other_methods_cut_off_a_lonely_outlier(method, rng):
    batch = images(rng, 64)
    batch[0, 0, 0, 0] = 30.0
    calibrated = quant.calibrate(small_net(), [batch], method, activation_bits=4, percentile=99.9)
    assert 2 < calibrated.get("quantizers.input").grid().scale * 7 < 10


@pytest.mark.parametrize("method", quant.METHODS)
def test_a_calibrated_model_answers_like_the_float_one_and_freezes_to_bytes(method, rng):
    net, x = small_net(), images(rng, 64)
    calibrated = quant.calibrate(net, [x], method)
    with no_grad():
        expected = net(x).data
        np.testing.assert_allclose(calibrated(x).data, expected, atol=0.1 * np.abs(expected).max())
    program = tinyslim.freeze(calibrated, EXAMPLE)
    assert program.kind == "int8"
    np.testing.assert_allclose(program.run(x), calibrated(x).data, atol=0.03 * np.abs(expected).max())


def test_the_zoo_is_calibrated_and_keeps_its_answers(rng):
    train_set, test_set = data.load("fashion_mnist_mini")
    for net in (
        models.mobilenet_v1(10, 0.25, in_channels=1, stem_stride=1, pretrained="fashion_mnist"),
        models.resnet20(10, in_channels=1, pretrained="fashion_mnist"),
    ):
        x = train_set.normalized(slice(0, 128), net.preprocessing)
        program = tinyslim.freeze(quant.calibrate(net, [x[:64], x[64:]], "mse"), x[:1])
        kept = program.run(test_set.images[:500]).argmax(axis=1)
        with no_grad():
            plain = net(test_set.normalized(slice(0, 500), net.preprocessing)).data.argmax(axis=1)
        assert (kept == plain).mean() >= 0.98


def test_a_generator_gives_what_a_list_does(rng):
    batches = [images(rng), images(rng)]
    from_list = quant.calibrate(small_net(), batches, "mse", bias_correction=True).state_dict()
    from_generator = quant.calibrate(small_net(), (b for b in batches), "mse", bias_correction=True).state_dict()
    for name, array in from_list.items():
        np.testing.assert_array_equal(array, from_generator[name])


def test_the_model_stays_as_it_was(rng):
    net = small_net().train()
    before = {name: array.copy() for name, array in net.state_dict().items()}
    calibrated = quant.calibrate(net, [images(rng)], bias_correction=True)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert net.training and all(module.training for module in net.modules())
    assert not any(module.training for module in calibrated.modules())


def test_training_goes_on_from_the_calibrated_ranges(rng):
    calibrated = quant.calibrate(small_net(), [images(rng, 32)])
    before = {path: layer.grid().scale for path, layer in quantizers(calibrated).items()}
    optimizer = optim.SGD(calibrated.train().parameters(), 0.01)
    F.cross_entropy(calibrated(images(rng, 16)), rng.integers(0, 3, 16)).backward()
    optimizer.step()
    for path, layer in quantizers(calibrated.eval()).items():
        assert 0.9 * before[path] < layer.grid().scale < 1.1 * before[path]


def test_a_calibrated_model_is_saved_and_loads_without_its_class(tmp_path, rng):
    calibrated, x = quant.calibrate(small_net(), [images(rng)], "mse", bias_correction=True), images(rng)
    train.save(calibrated, tmp_path / "calibrated.npz")
    loaded = train.load(tmp_path / "calibrated.npz")
    np.testing.assert_array_equal(loaded(x).data, calibrated(x).data)
    assert tinyslim.freeze(loaded, EXAMPLE).to_bytes() == tinyslim.freeze(calibrated, EXAMPLE).to_bytes()


def silent_net(offset):
    """A network whose first layer gives one number for every pixel."""
    net = small_net()
    net.get("1").weight.data[...], net.get("1").bias.data[...] = 0.0, offset
    return net


@pytest.mark.parametrize("method", quant.METHODS)
@pytest.mark.parametrize("offset", [-2.0, 0.0, 0.7], ids=["all negative", "zero", "constant"])
def test_a_layer_that_gives_one_number_can_be_calibrated(method, offset, rng):
    net, x = silent_net(offset), images(rng, 4)
    calibrated = quant.calibrate(net, [x], method, bias_correction=True)
    program = tinyslim.freeze(calibrated, EXAMPLE)
    np.testing.assert_allclose(program.run(x), net(x).data, atol=0.03 * np.abs(net(x).data).max() + 1e-5)


@pytest.mark.parametrize("method", quant.METHODS)
def test_a_constant_image_can_be_calibrated_with(method):
    program = tinyslim.freeze(quant.calibrate(small_net(), [np.zeros((2, 16, 16, 1), np.float32)], method), EXAMPLE)
    assert np.isfinite(program.run(np.zeros((1, 16, 16, 1), np.float32))).all()


def test_a_value_that_is_not_finite_is_refused_by_the_name_of_its_place(rng):
    net = small_net()
    net.get("3").weight.data[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"^4 can't be calibrated: a value that is not finite"):
        quant.calibrate(net, [images(rng)])


@pytest.mark.parametrize(
    ("batches", "error", "message"),
    [
        ([], ValueError, "`batches` is empty"),
        (iter([]), ValueError, "`batches` is empty"),
        (EXAMPLE, TypeError, r"`batches` \(=an array \(1, 16, 16, 1\)\) must be an iterable of arrays"),
        (3, TypeError, r"`batches` \(=3\) must be an iterable"),
        ([EXAMPLE.astype(np.uint8)], TypeError, r"`batches\[0\]` \(=uint8\) must be an array of floats"),
        ([EXAMPLE, (EXAMPLE, 1)], TypeError, r"`batches\[1\]` \(=tuple\)"),
        ([EXAMPLE[0]], ValueError, r"`batches\[0\]` \(shape \(16, 16, 1\)\) must be images"),
        ([EXAMPLE[:0]], ValueError, "at least one"),
    ],
)
def test_wrong_batches_are_refused_by_name(batches, error, message):
    with pytest.raises(error, match=message):
        quant.calibrate(small_net(), batches)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"method": "entropy"}, r"`method` \(='entropy'\)"),
        ({"percentile": -1, "method": "percentile"}, r"`percentile` \(=-1\)"),
        ({"weight_bits": 1}, "weight_bits"),
        ({"activation_bits": 9}, "activation_bits"),
        ({"weight_quantize_type": "x"}, "weight_quantize_type"),
    ],
)
def test_wrong_settings_are_refused_by_name(argument, message):
    with pytest.raises(ValueError, match=message):
        quant.calibrate(small_net(), [EXAMPLE], **argument)


def test_a_prepared_model_is_refused(rng):
    with pytest.raises(ValueError, match="prepared already"):
        quant.calibrate(quant.prepare(small_net(), EXAMPLE), [images(rng)])
