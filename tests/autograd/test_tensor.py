"""Tensor: dtypes, operators, NumPy on the left, what it prints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from numpy.testing import assert_array_equal

import tinyslim.functional as F
from tinyslim import Tensor, gradcheck


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (np.ones(2, np.float32), np.float32),
        (np.ones(2, np.float64), np.float64),
        (np.float64(1), np.float64),
        (np.arange(2), np.float32),
        (np.array([True]), np.float32),
        (np.ones(2, np.uint8), np.float32),
        ([1.5, 2.5], np.float32),
        ([[1, 2]], np.float32),
        (3, np.float32),
        (2.5, np.float32),
    ],
    ids=str,
)
def test_floating_arrays_keep_their_dtype_and_all_else_becomes_float32(data, dtype):
    assert Tensor(data).dtype == dtype


def test_floating_array_is_taken_not_copied():
    array = np.ones(3, np.float64)
    assert Tensor(array).data is array
    assert Tensor(Tensor(array)).data is array


@pytest.mark.parametrize("data", ["text", [None], np.array([1j]), np.array(["a"])], ids=str)
def test_what_is_no_number_is_refused(data):
    with pytest.raises(TypeError, match="`data` must hold numbers, but its dtype is"):
        Tensor(data)


def running() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(3, np.float32), np.ones(3, np.float32)


IN_BOTH_DTYPES = {
    "arithmetic": lambda x: ((2 * x + 1 - x / 3) ** 2 - (-x)) / 7.5,
    "numpy scalar": lambda x: x * np.float64(0.5) + np.int64(3),
    "sums": lambda x: x.sum((1, 2)) + x.mean((1, 2)) + x.sum() + x.mean(),
    "exp and log": lambda x: F.log(F.exp(x)),
    "matmul": lambda x: x.transpose(0, 1, 3, 2) @ x,
    "shapes": lambda x: F.concat([x.reshape(2, -1), F.flatten(x)], 1)[:, ::2],
    "activations": lambda x: F.relu(x) + F.relu6(x) + F.sigmoid(x) + F.tanh(x),
    "softmax": lambda x: F.softmax(x) + F.log_softmax(x, 1),
    "dropout": lambda x: F.dropout(x, 0.5, np.random.default_rng(0), True),
    "conv2d": lambda x: F.conv2d(x, Tensor(np.ones((3, 3, 3, 2), x.dtype)), None, 1, 1),
    "depthwise": lambda x: F.depthwise_conv2d(x, Tensor(np.ones((3, 3, 3), x.dtype)), None, 2, "same"),
    "pools": lambda x: F.max_pool2d(x, 2) + F.avg_pool2d(x, 2),
    "global pool, linear": lambda x: F.linear(F.global_avg_pool2d(x), Tensor(np.ones((3, 2), x.dtype))),
    "batch norm": lambda x: F.batch_norm(x, Tensor([1, 1, 1]), Tensor([0, 0, 0]), *running(), True),
    "batch norm in use": lambda x: F.batch_norm(x, Tensor([1, 1, 1]), Tensor([0, 0, 0]), *running(), False),
    "losses": lambda x: F.cross_entropy(F.global_avg_pool2d(x), [0, 1], 0.1) + F.mse_loss(x, x * 2),
    "soft labels": lambda x: F.soft_cross_entropy(F.flatten(x), F.flatten(x), 2.0, 2.0),
    "fsp": lambda x: F.fsp_matrix(x, x),
    "fake_quant": lambda x: F.fake_quant(x, 0.1, 0, -7, 7) + F.fake_quant(x, np.full(3, 0.1), 0, -7, 7, axis=-1),
    "learned_fake_quant": lambda x: F.learned_fake_quant(x, Tensor(np.full(3, 0.1, x.dtype)), 0, -7, 7, 0.5, axis=-1),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", IN_BOTH_DTYPES)
def test_dtype_survives_forward_and_backward(name, dtype, rng):
    x = Tensor(rng.standard_normal((2, 4, 4, 3)).astype(dtype), requires_grad=True)
    result = IN_BOTH_DTYPES[name](x)
    assert result.dtype == dtype
    result.sum().backward()
    assert x.grad.dtype == dtype


@given(mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3), st.integers(0, 9))
def test_operators_broadcast_as_numpy_and_so_do_their_gradients(shapes, seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.uniform(0.5, 2, shape) for shape in shapes.input_shapes)
    for operator in (lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / b):
        assert_array_equal(operator(Tensor(a), Tensor(b)).data, operator(a, b))
        assert gradcheck(operator, a, b, directions=1)


def test_arrays_that_do_not_broadcast_are_refused():
    with pytest.raises(ValueError, match=r"\(2,\) \(3,\)"):
        Tensor([1, 2]) + Tensor([1, 2, 3])


def test_numpy_on_the_left_of_an_operator_defers():
    x, array = Tensor([1.0, 2.0, 4.0], requires_grad=True), np.float32([1, 2, 3])
    matrix = Tensor(np.eye(3, dtype=np.float32))
    results = [array + x, array - x, array * x, array / x, array[None] @ matrix, np.float32(2) * x, np.float64(2) - x]
    expected = [[2, 4, 7], [0, 0, -1], [1, 4, 12], [1, 1, 0.75], [[1, 2, 3]], [2, 4, 8], [1, 0, -2]]
    for result, value in zip(results, expected, strict=True):
        assert isinstance(result, Tensor)
        assert result.dtype == np.float32
        assert_array_equal(result.data, value)


def test_python_numbers_stand_on_both_sides():
    x = Tensor([2.0, 4.0])
    for result, value in [(1 + x, [3, 5]), (1 - x, [-1, -3]), (3 * x, [6, 12]), (8 / x, [4, 2]), (x**2, [4, 16])]:
        assert_array_equal(result.data, value)


def test_power_takes_a_number_only():
    with pytest.raises(TypeError, match=r"`exponent` .* must be a number"):
        Tensor([1.0]) ** Tensor([2.0])


def test_indexing_twice_adds_both_gradients():
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    x[[0, 0, 2]].sum().backward()
    assert_array_equal(x.grad, [2, 0, 1])


def test_print_tells_shape_dtype_and_operation():
    x = Tensor(np.zeros((2, 3)), requires_grad=True)
    assert repr(x).endswith("shape=(2, 3), dtype=float64, requires_grad=True)")
    assert "op=multiply" in repr(x * 2)


def test_one_number_can_be_taken_out():
    assert (Tensor([[2.5]]).item(), float(Tensor(2.5)), len(Tensor([1, 2]))) == (2.5, 2.5, 2)
