"""Every operation's derivative agrees with finite differences."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import tinyslim.functional as F
from tinyslim import Tensor, gradcheck
from tinyslim.autograd.gradient_check import directional_derivative

RNG = np.random.default_rng(3)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


def away_from(kinks: tuple[float, ...], *shape: int) -> np.ndarray:
    """Random numbers of which none is so near to a kink that a finite difference could step over it."""
    x = 4 * normal(*shape) + 2
    for kink in kinks:
        x = np.where(np.abs(x - kink) < 0.1, kink + 0.3, x)
    return x


def distinct(*shape: int) -> np.ndarray:
    """Numbers far enough apart that a small step does not change which is the largest."""
    return RNG.permutation(np.linspace(-3, 3, int(np.prod(shape)))).reshape(shape)


def batch_norm(training: bool):
    def apply(x, gamma, beta):
        running = np.array([0.3, -0.2, 1.0]), np.array([0.5, 2.0, 1.5])
        return F.batch_norm(x, gamma, beta, *running, training, 0.1, 1e-5)

    return apply


# By name: the operation and what goes in. Numbers that are not tensors are held fast by a lambda.
CASES = {
    "add": (F.add, normal(2, 3), normal(3)),
    "subtract": (F.subtract, normal(3), normal(2, 1)),
    "multiply": (F.multiply, normal(2, 1, 3), normal(4, 1)),
    "divide": (F.divide, normal(2, 3), normal(3) ** 2 + 0.5),
    "negate": (F.negate, normal(4)),
    "power": (lambda x: F.power(x, -1.5), normal(5) ** 2 + 0.5),
    "power of zero": (lambda x: F.power(x, 2), np.zeros(3)),
    "exp": (F.exp, normal(2, 2)),
    "log": (F.log, normal(2, 2) ** 2 + 0.5),
    "sum": (F.sum, normal(2, 3)),
    "sum over axes": (lambda x: F.sum(x, (0, -1)), normal(2, 3, 4)),
    "mean": (lambda x: F.mean(x, 1, True), normal(2, 3, 4)),
    "mean of all": (F.mean, normal(2, 3)),
    "matmul": (F.matmul, normal(3, 4), normal(4, 2)),
    "matmul of stacks": (F.matmul, normal(5, 1, 3, 4), normal(2, 4, 2)),
    "reshape": (lambda x: F.reshape(x, (3, -1)), normal(2, 6)),
    "transpose": (lambda x: F.transpose(x, (2, 0, 1)), normal(2, 3, 4)),
    "transpose of all": (F.transpose, normal(2, 3, 4)),
    "flatten": (F.flatten, normal(2, 3, 4)),
    "pad": (lambda x: F.pad(x, (1, 0, 2, 3)), normal(2, 3, 4, 2)),
    "take": (lambda x: F.take(x, ([0, 0, 1], slice(1, None))), normal(2, 3)),
    "concat": (lambda a, b, c: F.concat([a, b, c], axis=1), normal(2, 1, 3), normal(2, 4, 3), normal(2, 2, 3)),
    "relu": (F.relu, away_from((0,), 4, 5)),
    "relu6": (F.relu6, away_from((0, 6), 4, 5)),
    "clip": (lambda x: F.clip(x, -0.5, 3), away_from((-0.5, 3), 4, 5)),
    "clip from below": (lambda x: F.clip(x, low=1), away_from((1,), 4, 5)),
    "sigmoid": (F.sigmoid, 3 * normal(4, 5)),
    "tanh": (F.tanh, normal(4, 5)),
    "softmax": (F.softmax, normal(3, 5)),
    "softmax over axis 0": (lambda x: F.softmax(x, 0), normal(3, 5)),
    "log_softmax": (F.log_softmax, normal(3, 5)),
    "dropout": (lambda x: F.dropout(x, 0.4, np.random.default_rng(1), True), normal(6, 5)),
    "linear": (F.linear, normal(4, 3), normal(3, 5), normal(5)),
    "linear without bias": (F.linear, normal(1, 3), normal(3, 2)),
    "batch_norm": (batch_norm(True), normal(3, 2, 2, 3), normal(3), normal(3)),
    "batch_norm of rows": (batch_norm(True), normal(5, 3), normal(3), normal(3)),
    "batch_norm in use": (batch_norm(False), normal(3, 2, 2, 3), normal(3), normal(3)),
    "global_avg_pool2d": (F.global_avg_pool2d, normal(2, 3, 4, 2)),
    "cross_entropy": (lambda x: F.cross_entropy(x, [0, 3, 3], 0.0), normal(3, 4)),
    "cross_entropy, smoothed": (lambda x: F.cross_entropy(x, [0, 3, 3], 0.2), normal(3, 4)),
    "mse_loss": (F.mse_loss, normal(3, 4), normal(3, 4)),
    "soft_cross_entropy": (lambda s, t: F.soft_cross_entropy(s, t, 2.0, 3.0), normal(3, 4), normal(3, 4)),
    "fsp_matrix": (F.fsp_matrix, normal(2, 3, 4, 2), normal(2, 3, 4, 5)),
}


@pytest.mark.parametrize("name", CASES)
def test_derivative_agrees_with_finite_differences(name):
    function, *inputs = CASES[name]
    assert gradcheck(function, *inputs)


PADDINGS = (0, 1, (0, 2, 1, 0), "same")


@pytest.mark.parametrize(("size", "stride", "padding"), list(product((1, 2, 3), (1, 2, 3), PADDINGS)))
def test_convolutions_agree_with_finite_differences(size, stride, padding):
    x, channels = normal(2, 5, 4, 3), 3
    assert gradcheck(lambda *a: F.conv2d(*a, stride, padding), x, normal(size, size, channels, 2), normal(2))
    assert gradcheck(lambda *a: F.depthwise_conv2d(*a, stride, padding), x, normal(size, size, channels), normal(3))


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (3, 1, 7, 1), (1, 6, 2, 9)])
def test_convolutions_of_odd_shapes_agree_with_finite_differences(shape):
    channels = shape[-1]
    assert gradcheck(lambda *a: F.conv2d(*a, padding=1), normal(*shape), normal(3, 3, channels, 5))
    assert gradcheck(lambda *a: F.depthwise_conv2d(*a, padding=1), normal(*shape), normal(3, 3, channels))


def test_filters_that_are_not_square_agree_with_finite_differences():
    assert gradcheck(lambda x, w: F.conv2d(x, w, None, 1, "same"), normal(1, 4, 5, 2), normal(1, 3, 2, 2))
    assert gradcheck(lambda x, w: F.depthwise_conv2d(x, w, None, 2, 1), normal(1, 4, 5, 2), normal(3, 2, 2))


@pytest.mark.parametrize(("size", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 1, "same"), (2, 1, (1, 0, 0, 1))])
def test_pooling_agrees_with_finite_differences(size, stride, padding):
    x = distinct(2, 6, 5, 3)
    assert gradcheck(lambda x: F.max_pool2d(x, size, stride, padding), x)
    assert gradcheck(lambda x: F.avg_pool2d(x, size, stride, padding), x)


def test_every_function_has_its_derivative_tested():
    tested_elsewhere = {"conv2d", "depthwise_conv2d", "max_pool2d", "avg_pool2d", "fake_quant", "learned_fake_quant"}
    tested = {name.split(",")[0].split(" ")[0] for name in CASES}
    assert tested | tested_elsewhere == set(F.__all__)


def test_fake_quant_passes_the_gradient_straight_through_inside_its_range():
    x = Tensor([-3.0, -1.01, -0.3, 0.0, 0.26, 1.0, 1.3], requires_grad=True)
    y = F.fake_quant(x, scale=0.5, zero_point=0, qmin=-2, qmax=2)
    y.backward(np.arange(1, 8))
    np.testing.assert_array_equal(y.data, np.float32([-1, -1, -0.5, 0, 0.5, 1, 1]))
    np.testing.assert_array_equal(x.grad, [0, 2, 3, 4, 5, 6, 0])


def test_fake_quant_with_a_scale_for_each_channel_is_fake_quant_of_each_channel():
    x, scales, covector = normal(3, 4, 2), np.array([0.5, 0.07, 0.3, 2.0]), normal(3, 4, 2)
    together = Tensor(x, requires_grad=True)
    result = F.fake_quant(together, scales, 1, -7, 7, axis=1)
    result.backward(covector)
    for channel, scale in enumerate(scales):
        alone = Tensor(x[:, channel], requires_grad=True)
        part = F.fake_quant(alone, scale, 1, -7, 7)
        part.backward(covector[:, channel])
        np.testing.assert_array_equal(result.data[:, channel], part.data)
        np.testing.assert_array_equal(together.grad[:, channel], alone.grad)


def surrogate(x, step, qmin, qmax, axis):
    """x̂ with the error that rounding makes held fast: the smooth function that learned steps differentiate."""
    steps = step if axis is None else step.reshape(-1, *[1] * (x.ndim - 1 - axis))
    error = np.rint(x / steps) - x / steps

    def smooth(x, step):
        steps = step if axis is None else step.reshape(-1, *[1] * (x.ndim - 1 - axis))
        v = x / steps
        return steps * np.where(v <= qmin, qmin, np.where(v >= qmax, qmax, v + error))

    return smooth


@pytest.mark.parametrize("axis", [None, 0, 1, 2])
def test_a_learned_steps_gradient_is_that_of_the_smooth_part(axis):
    x, covector = 2 * normal(3, 4, 5), normal(3, 4, 5)
    step = np.array(0.4) if axis is None else np.linspace(0.2, 0.6, x.shape[axis])
    smooth, tensors = surrogate(x, step, -3, 2, axis), [Tensor(x, True), Tensor(step, True)]
    result = F.learned_fake_quant(*tensors, zero_point=4, qmin=1, qmax=6, axis=axis)
    np.testing.assert_allclose(result.data, smooth(x, step), atol=1e-12)
    result.backward(covector)
    for index, tensor in enumerate(tensors):
        direction = [np.zeros_like(x), np.zeros_like(step)]
        direction[index] = normal(*tensor.shape)
        slope = directional_derivative(lambda *a: (smooth(*a) * covector).sum(), [x, step], direction, 1e-6)
        assert slope == pytest.approx((tensor.grad * direction[index]).sum(), rel=1e-6, abs=1e-7)


def test_where_all_is_clipped_finite_differences_agree_with_a_learned_steps_gradient():
    assert gradcheck(lambda step: F.learned_fake_quant(np.array([9.0, -8.0, 7.0]), step, 2, 0, 7), np.array(0.5))


def test_a_learned_steps_gradient_is_scaled_and_nothing_else_is():
    x, gradients = normal(6, 3), []
    for gradient_scale in (1.0, 0.25):
        tensors = Tensor(x, True), Tensor(np.full(3, 0.5), True)
        F.learned_fake_quant(*tensors, 0, -2, 1, gradient_scale, axis=-1).sum().backward()
        gradients.append([tensor.grad for tensor in tensors])
    np.testing.assert_array_equal(gradients[1][0], gradients[0][0])
    np.testing.assert_allclose(gradients[1][1], gradients[0][1] / 4)


@pytest.mark.parametrize("following", ["pointwise", "depthwise"])
def test_a_batch_norm_in_use_trains_between_convolutions_as_finite_differences_say(following):
    running = np.array([0.3, -0.2, 1.0]), np.array([0.5, 2.0, 1.5])

    def network(x, gamma, beta, weight):
        y = F.relu(F.batch_norm(F.conv2d(x, FIRST), gamma, beta, *running, False, 0.1, 1e-5))
        return F.conv2d(y, weight) if following == "pointwise" else F.depthwise_conv2d(y, weight, padding=1)

    weight = normal(1, 1, 3, 4) if following == "pointwise" else normal(3, 3, 3)
    assert gradcheck(network, normal(2, 4, 5, 2), np.array([0.7, -1.1, 0.4]), np.array([3.0, 4.0, -3.0]), weight)


FIRST = np.random.default_rng(8).standard_normal((1, 1, 2, 3))
