"""Whatever goes in, quantised training ends in numbers, or says that it didn't."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinyslim
import tinyslim.functional as F
from tinyslim import Tensor, data, nn, optim, quant, train

EXAMPLE = np.zeros((1, 8, 8, 2), np.float32)
LABELS = np.arange(8) % 3
PAIRS = [
    *((weight, "moving_average_abs_max") for weight in quant.WEIGHT_TYPES),
    *(("channel_wise_abs_max", activation) for activation in quant.ACTIVATION_TYPES),
    ("lsq", "lsq"),
]


def net(rng):
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1, bias=False, seed=rng), nn.BatchNorm2d(6), nn.ReLU(),
        nn.DepthwiseConv2d(6, 3, bias=False, seed=rng), nn.BatchNorm2d(6),
        nn.Conv2d(6, 4, 1, seed=rng), nn.ReLU6(), nn.GlobalAvgPool2d(), nn.Linear(4, 3, seed=rng),
    )  # fmt: skip


def trained_and_frozen(model, images, types, bits=8, symmetric=True, steps=3):
    """Train for some steps, freeze, and check that all on the way is finite; returns the model and the Program."""
    prepared = quant.prepare(model, EXAMPLE, *types, bits, bits, activation_symmetric=symmetric)
    optimizer = optim.SGD(prepared.train().parameters(), 0.05, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(prepared(images), LABELS)
        loss.backward()
        optimizer.step()
        assert np.isfinite(float(loss))
    assert all(np.isfinite(array).all() for array in prepared.state_dict().values())
    program = tinyslim.freeze(prepared.eval(), EXAMPLE)
    assert np.isfinite(program.run(images)).all()
    return prepared, program


def noise(rng):
    return rng.normal(size=(8, 8, 8, 2)).astype(np.float32)


def dead_channel(model, rng):
    model[0].weight.data[..., 0] = 0
    model[1].weight.data[1], model[1].bias.data[1] = 0, 0.5
    model[4].weight.data[2] = 1e-9
    model[4].weight.data[3] *= -1
    return noise(rng)


def all_dead(model, rng):
    model[1].weight.data[:] = model[4].weight.data[:] = 0
    model[0].weight.data[:] = 0
    return noise(rng)


def constant(model, rng):
    return np.full((8, 8, 8, 2), 3, np.float32)


def zeros(model, rng):
    """Every range, and so every scale, would be 0."""
    model[5].bias.data[:] = model[8].bias.data[:] = 0
    return np.zeros((8, 8, 8, 2), np.float32)


def all_negative(model, rng):
    model[1].bias.data[:] = model[4].bias.data[:] = model[5].bias.data[:] = -50
    return noise(rng)


@pytest.mark.parametrize("trouble", [dead_channel, all_dead, constant, zeros, all_negative])
@pytest.mark.parametrize("types", PAIRS, ids="+".join)
def test_troubled_networks_train_and_freeze_in_finite_numbers(trouble, types):
    for symmetric in (True, False):
        rng = np.random.default_rng(0)
        model = net(rng)
        trained_and_frozen(model, trouble(model, rng), types, symmetric=symmetric)


@pytest.mark.parametrize("types", PAIRS, ids="+".join)
def test_two_bits_train_and_freeze_in_finite_numbers(types, rng):
    model = net(rng)
    trained_and_frozen(model, noise(rng), types, bits=2, steps=5)


def test_a_channel_whose_gamma_is_zero_comes_back_to_life(rng):
    model = net(rng)
    model[1].weight.data[1], model[1].bias.data[1] = 0, 0.5
    for types in PAIRS:
        prepared, _ = trained_and_frozen(model, noise(rng), types, steps=2)
        assert prepared.get("1").weight.data[1] != 0, types


@pytest.mark.parametrize("types", PAIRS, ids="+".join)
def test_a_learning_rate_far_too_large_is_an_error_not_silence(types, rng):
    pixels = data.Dataset(rng.integers(0, 256, (32, 8, 8, 2), dtype=np.uint8), np.arange(32) % 3, list("abc"))
    with pytest.raises(train.TrainingDivergedError), np.errstate(all="ignore"):
        prepared = quant.prepare(net(rng), EXAMPLE, *types)
        train.fit(prepared, pixels, 2, 4, 1e30, schedule="constant", quiet=True)
        tinyslim.freeze(prepared, EXAMPLE)


def test_weights_that_are_no_numbers_do_not_freeze(rng):
    prepared, _ = trained_and_frozen(net(rng), noise(rng), PAIRS[0])
    prepared.get("5").weight.data[0, 0, 0, 0] = np.inf
    with pytest.raises(train.TrainingDivergedError, match="infinite or not a number"), np.errstate(invalid="ignore"):
        tinyslim.freeze(prepared, EXAMPLE)


@settings(max_examples=60)
@given(
    st.integers(2, 8), st.sampled_from(quant.ACTIVATION_TYPES), st.booleans(), st.booleans(),
    st.floats(-1e4, 1e4), st.sampled_from([0.0, 1e-30, 1e-3, 1.0, 1e6]), st.integers(0, 99),
)  # fmt: skip
def test_any_grid_holds_its_values_to_half_a_step(bits, name, non_negative, symmetric, offset, spread, seed):
    x = (offset + spread * np.random.default_rng(seed).normal(size=(4, 33))).astype(np.float32)
    x = np.abs(x) if non_negative else x
    quantizer = quant.quantizers.activation_quantizer(name, bits, non_negative, symmetric)
    tensor = Tensor(x, requires_grad=True)
    y = quantizer(tensor)
    y.sum().backward()
    assert np.isfinite(y.data).all()
    assert np.isfinite(tensor.grad).all()
    grid = quantizer.grid()
    assert grid.scale > 0
    assert 0 == grid.qmin <= grid.zero_point <= grid.qmax == 2**bits - 1
    low, high = (grid.scale * (q - grid.zero_point) for q in (grid.qmin, grid.qmax))
    inside = np.clip(x, low, high)
    assert np.abs(y.data - inside).max() <= grid.scale / 2 * (1 + 1e-3) + 1e-5 * np.abs(x).max()
    if name != "lsq":
        assert np.abs(inside - x).max() <= grid.scale / 2 * (1 + 1e-3) + 1e-6 * np.abs(x).max()


@given(st.integers(2, 8), st.sampled_from(list(quant.WEIGHT_TYPES)), st.floats(1e-6, 1e6), st.integers(0, 99))
def test_any_weight_is_what_its_integers_stand_for(bits, name, spread, seed):
    weight = (spread * np.random.default_rng(seed).normal(size=(3, 3, 4, 5))).astype(np.float32)
    norm = nn.BatchNorm2d(5)
    norm.weight.data[:] = [1, -2, 0, 1e-9, 0.5]
    arrays, places = {"weight": Tensor(weight, True), "bias": None}, {"stride": 1, "padding": 0}
    layer = quant.layers.quantized_layer("conv2d", arrays, places, name, bits, norm)
    for mode in (layer.train, layer.eval):
        mode()
        np.testing.assert_allclose(layer.rounded(norm).data, layer.integers(norm) * layer.scales(norm), rtol=1e-5)
    assert np.abs(layer.integers(norm)).max() <= 2 ** (bits - 1) - 1
