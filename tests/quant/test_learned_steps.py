"""Steps that are trained: what they begin with, how they move, and what holds them."""

import numpy as np
import pytest

import tinyslim.functional as F
from tinyslim import Tensor, nn, optim, quant
from tinyslim.quant.learned_steps import SMALLEST_PART, gradient_scale, starting_step

EXAMPLE = np.zeros((1, 10, 10, 1), np.float32)


def net(seed=0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, bias=False, seed=rng), nn.BatchNorm2d(6), nn.ReLU(),
        nn.DepthwiseConv2d(6, 3, seed=rng), nn.GlobalAvgPool2d(), nn.Linear(6, 3, seed=rng),
    )  # fmt: skip


def train(model, steps=3, lr=0.02, n=16):
    rng = np.random.default_rng(1)
    images, labels = rng.normal(size=(n, 10, 10, 1)).astype(np.float32), rng.integers(0, 3, n)
    optimizer, losses = optim.SGD(model.train().parameters(), lr, momentum=0.9, weight_decay=0.1), []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    return losses


def steps_of(model):
    return {name: tensor for name, tensor in model.named_parameters() if name.endswith(".step")}


def test_the_first_batch_gives_an_activations_step_as_the_paper_has_it(rng):
    quantizer = quant.LearnedActivationQuantizer(bits=2, non_negative=True)
    x = rng.exponential(size=(5, 7, 4)).astype(np.float32)
    quantizer(x)
    assert float(quantizer.step.data) == pytest.approx(2 * x.mean() / np.sqrt(3), rel=1e-5)


def test_no_step_begins_coarser_than_the_largest_value_needs(rng):
    quantizer = quant.LearnedActivationQuantizer(bits=8, non_negative=True)
    x = rng.uniform(0, 1, size=(5, 7, 4)).astype(np.float32)
    quantizer(x)
    assert float(quantizer.step.data) == pytest.approx(x.max() / 255, rel=1e-5)


@pytest.mark.parametrize(("name", "shape"), [("lsq", ()), ("channel_wise_lsq", (6,))])
def test_a_weights_step_begins_with_what_the_weight_asks_for(name, shape):
    model = net()
    layer = quant.prepare(model, EXAMPLE, name, weight_bits=3).get("3")
    size = np.abs(model.get("3").weight.data)
    mean, largest = (size.mean(axis=(0, 1)), size.max(axis=(0, 1))) if shape else (size.mean(), size.max())
    assert layer.step.shape == shape
    np.testing.assert_allclose(layer.step.data, starting_step(mean, largest, 3), rtol=1e-6)


def test_all_steps_are_trained_and_none_decays():
    model = quant.prepare(net(), EXAMPLE, "channel_wise_lsq", "lsq", 4, 4)
    train(model, steps=1)
    before = {name: step.data.copy() for name, step in steps_of(model).items()}
    assert len(before) == 3 + 4  # three weights; the input, the ReLU, the depthwise convolution and the mean
    train(model, steps=2)
    assert all((step.data != before[name]).any() for name, step in steps_of(model).items())
    optimizer = optim.SGD(model.parameters(), 0.1, weight_decay=0.5)
    assert {optimizer.decay(step) for step in steps_of(model).values()} == {0.0}


@pytest.mark.parametrize("weight_quantize_type", ["lsq", "channel_wise_lsq"])
def test_training_with_learned_steps_makes_the_loss_smaller(weight_quantize_type):
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        nn.Conv2d(1, 6, 3, bias=False, seed=rng), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 64, 3)
    )
    losses = train(quant.prepare(model, EXAMPLE, weight_quantize_type, "lsq", 4, 4), steps=30)
    assert losses[-1] < 0.3 * losses[0]


def test_a_steps_gradient_is_scaled_by_the_number_of_what_it_rounds(rng):
    quantizer = quant.LearnedActivationQuantizer(bits=4, non_negative=True)
    x = rng.uniform(0, 1, size=(5, 7, 4)).astype(np.float32)
    quantizer(x).sum().backward()
    step = Tensor(quantizer.step.data, requires_grad=True)
    F.learned_fake_quant(x, step, 0, 0, 15).sum().backward()
    assert quantizer.step.grad == pytest.approx(step.grad * gradient_scale(7 * 4, 15), rel=1e-5)


def test_a_step_that_the_optimizer_sends_below_zero_comes_back_above_it(rng):
    quantizer = quant.LearnedActivationQuantizer(bits=4)
    x = Tensor(rng.normal(size=(5, 4)).astype(np.float32))
    quantizer(x)
    start = float(quantizer.step.data)
    quantizer.step.data[...] = -1
    assert quantizer.grid().scale == pytest.approx(start * SMALLEST_PART)
    in_use, in_training = quantizer.eval()(x).data, quantizer.train()(x).data
    np.testing.assert_array_equal(in_use, in_training)
    assert float(quantizer.step.data) > 0


def test_a_weights_step_is_held_above_zero_in_use_as_in_training(rng):
    model = quant.prepare(net(), EXAMPLE, "channel_wise_lsq")
    layer = model.get("3")
    layer.step.data[2] = -1
    in_use, in_training = layer.eval().rounded().data, layer.train().rounded().data
    np.testing.assert_array_equal(in_use, in_training)
    assert (layer.scales() > 0).all()


def test_a_step_that_is_not_a_number_shows_in_the_result_and_in_what_freezes(rng):
    model = quant.prepare(net(), EXAMPLE, "lsq", "lsq")
    train(model, steps=1)
    for name in ("3", "quantizers.2"):
        model.get(name).step.data[...] = np.nan
    x = rng.normal(size=(2, 10, 10, 1)).astype(np.float32)
    assert np.isnan(model.train()(x).data).any()
    with pytest.raises(ValueError, match="not a number"):
        model.get("3").integers()
    with pytest.raises(ValueError, match="not a number"):
        model.get("quantizers.2").grid()


def test_an_affine_grid_of_a_learned_step_takes_the_first_batchs_zero_point():
    quantizer = quant.LearnedActivationQuantizer(bits=8, symmetric=False)
    quantizer(np.linspace(-1, 3, 256, dtype=np.float32).reshape(4, 64))
    quantizer(np.full((4, 64), 2, np.float32))
    assert quantizer.grid().zero_point == 64
