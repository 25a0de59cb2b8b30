import numpy as np
import pytest

import tinyslim.functional as F
from tinyslim import Tensor, data, models, nn, no_grad, optim, quant, train

EXAMPLE = np.zeros((1, 16, 16, 1), np.float32)


def small_net(seed=0):
    return models.mobilenet_v1(num_classes=4, width=0.125, in_channels=1, stem_stride=1, seed=seed)


def shallow_net():
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 14 * 14, 4))


def batch(rng, n=8):
    return rng.normal(size=(n, 16, 16, 1)).astype(np.float32), rng.integers(0, 4, n)


def step(model, optimizer, images, labels):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return float(loss)


def test_one_quantiser_stands_behind_each_conv_norm_relu_chain_and_none_inside():
    graph = quant.prepare(small_net(), EXAMPLE).graph
    inputs = [node.inputs[0].op for node in graph if node.op == "fake_quant"]
    assert inputs == ["input"] + ["relu"] * 27 + ["global_avg_pool2d"]


def test_every_weighted_layer_reads_quantised_values():
    graph = quant.prepare(models.resnet20(in_channels=1), EXAMPLE).graph
    for node in graph:
        if node.op in {"conv2d", "depthwise_conv2d", "linear", "add"}:
            assert all(parent.op == "fake_quant" for parent in node.inputs), node


def test_tensors_behind_a_relu_get_all_steps_above_zero():
    prepared = quant.prepare(small_net(), EXAMPLE)
    kinds = {layer.non_negative for name, layer in prepared.named_modules() if "relu" in name and "quantizers" in name}
    assert kinds == {True}
    assert prepared.get("quantizers.input").non_negative is False


def test_prepare_leaves_the_model_as_it_was(rng):
    net = small_net()
    before = {name: array.copy() for name, array in net.state_dict().items()}
    prepared = quant.prepare(net, EXAMPLE)
    step(prepared, optim.SGD(prepared.parameters(), 0.1), *batch(rng))
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_every_parameter_gets_a_gradient(rng):
    prepared = quant.prepare(small_net(), EXAMPLE)
    images, labels = batch(rng)
    F.cross_entropy(prepared(images), labels).backward()
    assert all(p.grad is not None and np.isfinite(p.grad).all() for p in prepared.parameters())


def test_quantised_training_makes_the_loss_smaller(rng):
    prepared = quant.prepare(shallow_net(), EXAMPLE)
    optimizer = optim.SGD(prepared.parameters(), 0.02, momentum=0.9)
    images, labels = batch(rng, 16)
    losses = [step(prepared, optimizer, images, labels) for _ in range(20)]
    assert losses[-1] < 0.1 * losses[0]


def test_at_eight_bits_the_prepared_model_answers_almost_like_the_plain_one(rng):
    net = shallow_net()
    images, _ = batch(rng, 32)
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0  # running statistics are the last batch's
    with no_grad():
        net.train()(images)
        prepared = quant.prepare(net, EXAMPLE)
        prepared.train()(images)
        plain, rounded = net.eval()(images).data, prepared.eval()(images).data
    assert np.abs(plain - rounded).max() < 0.03 * np.abs(plain).max()


def test_the_value_on_the_grid_is_what_a_quantiser_returns(rng):
    quantizer = quant.ActivationQuantizer(non_negative=True)
    x = Tensor(np.abs(rng.normal(size=(4, 5))).astype(np.float32))
    y = quantizer(x).data
    grid = quantizer.grid()
    np.testing.assert_allclose(y / grid.scale, np.rint(y / grid.scale), atol=1e-3)
    assert np.abs(y - x.data).max() <= grid.scale / 2 * (1 + 1e-4)


def test_ranges_stand_still_in_use(rng):
    quantizer = quant.ActivationQuantizer()
    quantizer(np.ones((2, 2), np.float32))
    memory = quantizer.memory.copy()
    quantizer.eval()(100 * np.ones((2, 2), np.float32))
    np.testing.assert_array_equal(quantizer.memory, memory)


@pytest.mark.parametrize("types", [("channel_wise_abs_max", "abs_max"), ("abs_max", "lsq"), ("lsq", "range_abs_max")])
def test_a_prepared_model_loads_again_without_its_class(types, tmp_path, rng):
    prepared = quant.prepare(small_net(), EXAMPLE, *types, activation_symmetric=False)
    images, labels = batch(rng)
    optimizer = optim.SGD(prepared.parameters(), 0.05)
    step(prepared, optimizer, images, labels)
    train.save(prepared, tmp_path / "prepared.npz")
    loaded = train.load(tmp_path / "prepared.npz")
    np.testing.assert_array_equal(loaded(images).data, prepared.eval()(images).data)
    assert step(loaded, optim.SGD(loaded.parameters(), 0.05), images, labels) > 0


class Branches(nn.Module):
    """Two convolutions whose results are joined, then pooled."""

    def __init__(self, keep_first=False):
        self.a, self.b = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(1, 2, 1)
        self.last, self.keep_first = nn.Linear(5 * 4 * 4 + (3 if keep_first else 0), 2), keep_first

    def forward(self, x):
        a = F.relu(self.a(x))
        y = F.flatten(F.max_pool2d(F.concat([a, self.b(x)]), 4))
        return self.last(F.concat([y, F.global_avg_pool2d(a)]) if self.keep_first else y)


def test_the_inputs_of_a_concat_share_the_one_quantiser_behind_it():
    graph = quant.prepare(Branches(), EXAMPLE).graph
    assert [node.inputs[0].op for node in graph if node.op == "fake_quant"] == ["input", "concat"]


def test_a_concat_input_that_goes_elsewhere_too_has_a_quantiser_of_its_own():
    graph = quant.prepare(Branches(keep_first=True), EXAMPLE).graph
    quantized = [node.inputs[0].name for node in graph if node.op == "fake_quant"]
    assert quantized == ["input", "relu", "concat", "concat:1"]


class Alone(nn.Module):
    def __init__(self, function):
        self.function, self.linear = function, nn.Linear(16 * 16, 2)

    def forward(self, x):
        return self.linear(F.flatten(self.function(x)))


@pytest.mark.parametrize(
    "function, op", [(F.sigmoid, "sigmoid"), (lambda x: x + 1.0, "add"), (lambda x: x * 2.0, "multiply")]
)
def test_an_operation_that_integers_cannot_compute_is_refused_by_name(function, op):
    with pytest.raises(ValueError, match=rf"{op}.* can.* run on integers"):
        quant.prepare(Alone(function), EXAMPLE)


def test_preparing_twice_is_an_error():
    with pytest.raises(ValueError, match="prepared already"):
        quant.prepare(quant.prepare(small_net(), EXAMPLE), EXAMPLE)


@pytest.mark.parametrize(
    "argument",
    [{"weight_bits": 1}, {"activation_bits": 9}, {"weight_quantize_type": "abs"}, {"activation_quantize_type": "x"}],
)
def test_wrong_settings_are_refused_by_name(argument):
    with pytest.raises(ValueError, match=next(iter(argument))):
        quant.prepare(small_net(), EXAMPLE, **argument)


def test_a_batch_that_is_not_finite_shows_in_the_loss_and_leaves_no_trace_in_the_ranges(rng):
    prepared = quant.prepare(shallow_net(), EXAMPLE)
    images, labels = batch(rng)
    prepared(images)
    before = [layer.memory.copy() for layer in prepared.modules() if isinstance(layer, quant.ActivationQuantizer)]
    with np.errstate(invalid="ignore"):
        loss = F.cross_entropy(prepared(np.full_like(images, np.nan)), labels)
    after = [layer.memory for layer in prepared.modules() if isinstance(layer, quant.ActivationQuantizer)]
    assert np.isnan(float(loss))
    np.testing.assert_array_equal(before, after)


def test_quantised_training_that_diverges_tells_epoch_batch_and_learning_rate(rng):
    pixels, labels = rng.integers(0, 256, (32, 16, 16, 1), dtype=np.uint8), np.arange(32) % 4
    prepared = quant.prepare(shallow_net(), EXAMPLE)
    with pytest.raises(train.TrainingDivergedError, match=r"epoch 1, batch \d of 8, at a learning rate of 1e\+30"):
        train.fit(prepared, data.Dataset(pixels, labels, list("abcd")), 1, 4, 1e30, schedule="constant", quiet=True)
