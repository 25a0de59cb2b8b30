from __future__ import annotations

import numpy as np
import pytest

import tinyslim.functional as F
from tinyslim import nn, prune

RNG = np.random.default_rng(2)
BATCHES = [RNG.standard_normal((n, 4, 4, 3)).astype(np.float32) + 2 for n in (4, 4, 2)]


def net() -> nn.Module:
    return nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(0.5), nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))


def test_statistics_are_those_of_all_values():
    model = net()
    model[0].running_mean[:], model[0].running_var[:] = 1e9, np.nan
    prune.recalibrate_batch_norm(model, BATCHES)
    mean = np.concatenate(BATCHES).mean(axis=(0, 1, 2), dtype=np.float64)
    variances = [batch.var(axis=(0, 1, 2), ddof=1, dtype=np.float64) for batch in BATCHES]
    np.testing.assert_allclose(model[0].running_mean, mean, rtol=1e-6)
    np.testing.assert_allclose(model[0].running_var, np.average(variances, axis=0, weights=[4, 4, 2]), rtol=1e-6)


def test_later_layers_see_what_the_batch_itself_normalised():
    model = net()
    prune.recalibrate_batch_norm(model, BATCHES[:1])
    x = BATCHES[0]
    x = np.maximum((x - x.mean(axis=(0, 1, 2))) / np.sqrt(x.var(axis=(0, 1, 2)) + 1e-5), 0)
    x = x @ model[3].weight.data[0, 0] + model[3].bias.data
    np.testing.assert_allclose(model[4].running_mean, x.mean(axis=(0, 1, 2)), atol=1e-6)


def test_a_layer_that_is_called_twice_counts_both_calls():
    class Twice(nn.Module):
        def __init__(self):
            self.norm = nn.BatchNorm2d(3)

        def forward(self, x):
            return F.concat([self.norm(x), self.norm(x * 3)])

    model = Twice()
    prune.recalibrate_batch_norm(model, BATCHES[:2])
    mean = np.concatenate(BATCHES[:2]).mean(axis=(0, 1, 2))
    np.testing.assert_allclose(model.norm.running_mean, 2 * mean, rtol=1e-5)


def test_weights_modes_momentum_and_dropout_stay():
    model = net().eval()
    model[1].training = True
    weights = [tensor.data.copy() for tensor in model.parameters()]
    prune.recalibrate_batch_norm(model, BATCHES)
    assert all(np.array_equal(a, b.data) for a, b in zip(weights, model.parameters(), strict=True))
    assert [module.training for module in model] == [False, True, False, False, False]
    assert (model[0].momentum, model[2].calls) == (0.1, 0)
    assert "forward" not in vars(model[0])


def test_a_network_without_batch_norm_stays():
    model = nn.Sequential(nn.Conv2d(3, 2, 1))
    before = model[0].weight.data.copy()
    prune.recalibrate_batch_norm(model, BATCHES)
    np.testing.assert_array_equal(model[0].weight.data, before)


@pytest.mark.parametrize(
    ("batches", "error", "message"),
    [
        ([], ValueError, "`batches` is empty"),
        ([BATCHES[0], np.zeros((2, 4, 4, 3), np.uint8)], TypeError, r"`batches\[1\]` \(dtype uint8\) must hold floats"),
        ([BATCHES[0], np.full((2, 4, 4, 3), np.nan, np.float32)], ValueError, "mean or variance that is not finite"),
    ],
)
def test_a_bad_batch_is_an_error_and_the_old_statistics_stay(batches, error, message):
    model = net()
    with pytest.raises(error, match=message):
        prune.recalibrate_batch_norm(model, batches)
    assert model[0].running_mean.tolist() == [0, 0, 0]
    assert model[0].running_var.tolist() == [1, 1, 1]
