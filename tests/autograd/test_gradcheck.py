"""The gradient check itself: it must catch what is wrong, and pass what is right."""

from __future__ import annotations

import numpy as np
import pytest

import tinyslim.functional as F
from tinyslim import Tensor, gradcheck
from tinyslim.autograd import OPERATIONS, GradientMismatchError, each, operation


@pytest.fixture
def cube_with():
    """x³ with a derivative of the test's choice; the operation is gone afterwards."""

    def make(derivative):
        @operation("x")
        def cube(x):
            return x**3, each(lambda grad: grad * derivative(x))

        return cube

    yield make
    del OPERATIONS["cube"]


def test_right_derivative_passes(cube_with):
    assert gradcheck(cube_with(lambda x: 3 * x**2), np.linspace(-1, 2, 7))


def test_planted_wrong_derivative_is_caught(cube_with):
    with pytest.raises(GradientMismatchError, match=r"input 0 of cube: .* a slope of .*, backward says"):
        gradcheck(cube_with(lambda x: 2 * x**2), np.linspace(-1, 2, 7))


def test_derivative_wrong_in_one_element_by_a_tenth_of_a_per_cent_is_caught(cube_with):
    wrong = np.ones(1000)
    wrong[123] = 1.001
    with pytest.raises(GradientMismatchError):
        gradcheck(cube_with(lambda x: 3 * x**2 * wrong), np.full(1000, 1.5))


def test_missing_gradient_is_caught():
    with pytest.raises(GradientMismatchError, match=r"backward says 0"):
        gradcheck(lambda a, b: a * b.detach(), np.ones(2), np.ones(2))


def test_nan_in_a_gradient_is_caught(cube_with):
    with pytest.raises(GradientMismatchError, match="nan"):
        gradcheck(cube_with(lambda x: x * np.nan), np.ones(2))


def test_inputs_are_checked_in_float64_and_left_alone():
    x = np.ones(3, np.float32)
    seen = []
    gradcheck(lambda tensor: seen.append(tensor.dtype) or F.exp(tensor), x)
    gradcheck(F.exp, Tensor(x))
    assert set(seen) == {np.dtype(np.float64)}
    np.testing.assert_array_equal(x, np.ones(3, np.float32))
