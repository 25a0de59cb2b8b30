"""What operations do at the edges: NaN, extremes, empty batches, wrong arguments."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import tinyslim.functional as F
from tinyslim import Tensor

IMAGE = Tensor(np.zeros((1, 4, 4, 2)))


@pytest.mark.parametrize("activation", [F.relu, F.relu6, F.sigmoid, F.tanh, F.exp, F.softmax, F.log_softmax])
def test_nan_passes_through(activation):
    assert np.isnan(activation(Tensor([np.nan, 1.0])).data[0])


def test_nan_passes_through_pooling_and_batch_norm():
    x = np.zeros((1, 2, 2, 1), np.float32)
    x[0, 1, 0] = np.nan
    running = np.zeros(1, np.float32), np.ones(1, np.float32)
    assert np.isnan(F.max_pool2d(Tensor(x), 2).data).all()
    assert np.isnan(F.global_avg_pool2d(Tensor(x)).data).all()
    assert np.isnan(F.batch_norm(Tensor(x), Tensor([1]), Tensor([0]), *running, True).data).all()


def test_gradient_at_the_kink_is_zero():
    x = Tensor([-1.0, 0.0, 3.0, 6.0, 7.0], requires_grad=True)
    (F.relu(x) + F.relu6(x)).sum().backward()
    assert_array_equal(x.grad, [0, 0, 2, 1, 1])


def test_extreme_logits_neither_overflow_nor_underflow():
    x = Tensor([[1e4, -1e4, 0.0]])
    assert_array_equal(F.sigmoid(x).data, [[1, 0, 0.5]])
    assert_array_equal(F.softmax(x).data, [[1, 0, 0]])
    assert_array_equal(F.log_softmax(x).data, [[0, -2e4, -1e4]])
    assert float(F.cross_entropy(x, [1])) == 2e4


def test_max_pool_gives_the_first_of_equal_numbers_the_gradient():
    x = Tensor(np.ones((1, 2, 2, 1)), requires_grad=True)
    F.max_pool2d(x, 2).sum().backward()
    assert_array_equal(x.grad.ravel(), [1, 0, 0, 0])


def test_average_pooling_counts_padding():
    assert_allclose(F.avg_pool2d(Tensor(np.ones((1, 2, 2, 1))), 2, 2, 1).data.ravel(), [0.25] * 4)


def test_batch_norm_changes_running_arrays_in_place_and_in_training_alone(rng):
    x = Tensor(rng.standard_normal((4, 3, 3, 2)))
    mean, var = np.zeros(2), np.ones(2)
    F.batch_norm(x, Tensor([1, 1]), Tensor([0, 0]), mean, var, training=False)
    assert_array_equal([mean, var], [[0, 0], [1, 1]])
    F.batch_norm(x, Tensor([1, 1]), Tensor([0, 0]), mean, var, training=True, momentum=1.0)
    assert_allclose(mean, x.data.mean((0, 1, 2)))
    assert_allclose(var, x.data.var((0, 1, 2), ddof=1))


def test_batch_norm_of_one_value_a_channel_is_refused():
    with pytest.raises(ValueError, match=r"at least two values a channel, but `x` has shape \(1, 3\)"):
        F.batch_norm(Tensor([[1, 2, 3]]), Tensor([1] * 3), Tensor([0] * 3), np.zeros(3), np.ones(3), training=True)


def test_dropout_keeps_the_mean_and_its_share(rng):
    y = F.dropout(Tensor(np.ones(100_000)), 0.3, rng, training=True).data
    assert_allclose((y == 0).mean(), 0.3, atol=0.01)
    assert set(np.unique(y)) == {0, 1 / 0.7}


@pytest.mark.parametrize(("p", "training"), [(0.5, False), (0.0, True)])
def test_dropout_that_drops_nothing_is_the_identity(p, training, rng):
    assert_array_equal(F.dropout(Tensor([1, 2, 3]), p, rng, training).data, [1, 2, 3])


def test_fsp_matrix_is_the_mean_of_products_over_the_image(rng):
    a, b = rng.standard_normal((2, 3, 4, 2)), rng.standard_normal((2, 3, 4, 5))
    assert_allclose(F.fsp_matrix(Tensor(a), Tensor(b)).data, np.einsum("nyxi,nyxj->nij", a, b) / 12)


def test_cross_entropy_of_equal_logits_is_the_logarithm_of_the_classes():
    for smoothing in (0.0, 0.1):
        assert_allclose(float(F.cross_entropy(Tensor(np.zeros((3, 7))), [0, 1, 6], smoothing)), np.log(7))


REFUSED = {
    "stride of 0": (
        lambda: F.conv2d(IMAGE, Tensor(np.ones((3, 3, 2, 2))), stride=0),
        "`stride` (=0) must be at least 1",
    ),
    "pooling stride of 0": (lambda: F.max_pool2d(IMAGE, 2, 0), "`stride` (=0) must be at least 1"),
    "mean pooling stride of 0": (lambda: F.avg_pool2d(IMAGE, 2, 0), "`stride` (=0) must be at least 1"),
    "unknown padding": (lambda: F.max_pool2d(IMAGE, 2, 2, "valid"), "`padding` (='valid') must be"),
    "other channels": (lambda: F.conv2d(IMAGE, Tensor(np.ones((3, 3, 3, 2)))), "`weight`"),
    "other depthwise channels": (lambda: F.depthwise_conv2d(IMAGE, Tensor(np.ones((3, 3, 3)))), "`weight`"),
    "linear of another width": (lambda: F.linear(Tensor([[1, 2]]), Tensor([[1]])), "`x` (n, in) has shape (1, 2)"),
    "linear bias of another width": (
        lambda: F.linear(Tensor([[1, 2]]), Tensor(np.ones((2, 3))), Tensor([1])),
        "`bias` has shape (1,), expected (3,)",
    ),
    "matmul of vectors": (lambda: Tensor([1, 2]) @ Tensor([1, 2]), "`a` and `b` must be matrices"),
    "global pooling of rows": (lambda: F.global_avg_pool2d(Tensor([[1]])), "`x` must be (n, y, x, c)"),
    "dropout of everything": (lambda: F.dropout(IMAGE, 1, None, True), "`p` (=1) must be at least 0 and below 1"),
    "label out of range": (
        lambda: F.cross_entropy(Tensor([[1, 2]]), [2]),
        "`labels` reach from 2 to 2, expected 0 to 1",
    ),
    "negative label": (lambda: F.cross_entropy(Tensor([[1, 2]]), [-1]), "`labels` reach from -1 to -1"),
    "floating labels": (lambda: F.cross_entropy(Tensor([[1, 2]]), [0.0]), "`labels` must be 1 integers"),
    "too many labels": (lambda: F.cross_entropy(Tensor([[1, 2]]), [0, 1]), "`labels` must be 1 integers"),
    "no logits": (
        lambda: F.cross_entropy(Tensor(np.ones((0, 3))), []),
        "`logits` must be (n, classes) with n at least 1",
    ),
    "smoothing of 1": (lambda: F.cross_entropy(Tensor([[1, 2]]), [0], 1.0), "`label_smoothing` (=1.0)"),
    "mse of other shapes": (
        lambda: F.mse_loss(Tensor([1]), Tensor([1, 2])),
        "`prediction` has shape (1,), `target` (2,)",
    ),
    "temperature of 0": (
        lambda: F.soft_cross_entropy(Tensor([[1]]), Tensor([[1]]), 0.0, 1.0),
        "`student_temperature` (=0.0) must be above 0",
    ),
    "fsp of other images": (lambda: F.fsp_matrix(IMAGE, Tensor(np.ones((1, 2, 4, 2)))), "must agree in (n, h, w)"),
    "empty concat": (lambda: F.concat([]), "`xs` (=[]) must hold at least one tensor"),
    "scale of 0": (lambda: F.fake_quant(IMAGE, 0.0, 0, -7, 7), "`scale` (=0.0) must be above 0"),
    "scale of NaN": (lambda: F.fake_quant(IMAGE, np.nan, 0, -7, 7), "`scale` (=nan) must be above 0"),
    "empty range": (lambda: F.fake_quant(IMAGE, 1.0, 0, 7, 7), "`qmin` (=7) must be below `qmax` (=7)"),
    "too few scales": (
        lambda: F.fake_quant(IMAGE, np.ones(3), 0, -7, 7, axis=-1),
        "`scale` has shape (3,), expected (2,)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_argument_is_refused_by_name_and_value(name):
    call, message = REFUSED[name]
    with pytest.raises(ValueError) as error:
        call()
    assert message in str(error.value)
