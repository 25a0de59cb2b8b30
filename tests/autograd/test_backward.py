"""The backward pass: what adds up, what is asked for, what is refused."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import tinyslim.functional as F
from tinyslim import Tensor, kernels, no_grad
from tinyslim.autograd import OPERATIONS, backward, each, operation


@pytest.fixture
def planted():
    """An operation that a test plants; it is gone afterwards."""
    before = dict(OPERATIONS)
    yield operation
    OPERATIONS.clear()
    OPERATIONS.update(before)


def test_tensor_used_twice_gets_both_shares():
    a = Tensor(1.0, requires_grad=True)
    b = a + a
    c = b + b
    c.backward()
    assert a.grad == 4


def test_result_waits_for_the_shares_of_all_its_uses():
    # A walk from c that is not in order of age would come through b before the long way round has arrived.
    x = Tensor([2.0], requires_grad=True)
    b = x * x
    c = b * 3
    for _ in range(5):
        c = c * 2 + b
    c.backward()
    assert_array_equal(x.grad, [4 * (3 * 32 + 31)])


def test_leaf_used_many_times_adds_up_every_share():
    x = Tensor([1.0, 2.0], requires_grad=True)
    sum((x * factor for factor in range(1, 6)), Tensor([0.0, 0.0])).sum().backward()
    assert_array_equal(x.grad, [15, 15])


def test_gradients_of_two_passes_add_up_in_a_leaf():
    x = Tensor([1.0], requires_grad=True)
    for _ in range(3):
        (x * 2).backward()
    assert_array_equal(x.grad, [6])


def test_two_inputs_never_share_one_gradient_array():
    a, b = Tensor([1.0], requires_grad=True), Tensor([1.0], requires_grad=True)
    (a + b).backward()
    a.grad += 1
    assert_array_equal(b.grad, [1])


def test_gradient_given_by_the_caller_is_left_as_it_was():
    given = np.float32([1, 2])
    x = Tensor([1.0, 1.0], requires_grad=True)
    y = x + 0
    (y + y + y).backward(given)
    x.grad *= 10
    assert_array_equal(given, [1, 2])


def test_gradient_is_a_writable_array_of_its_tensors_shape_and_dtype():
    for x in (Tensor(3.0, requires_grad=True), Tensor(np.ones((2, 3), np.float32), requires_grad=True)):
        (x * np.float64(2) + x).sum().backward()
        for _ in range(2):
            assert isinstance(x.grad, np.ndarray)
            assert (x.grad.shape, x.grad.dtype, x.grad.flags.writeable) == (x.shape, x.dtype, True)
            (x * x).sum().backward()


def test_float32_leaf_in_a_float64_computation_gets_a_float32_gradient():
    x = Tensor([1.0], requires_grad=True)
    (x * np.array([2.0])).backward()
    assert x.grad.dtype == np.float32


def test_ten_thousand_operations_need_no_recursion():
    x = Tensor([1.0], requires_grad=True)
    y = x
    for _ in range(10_000):
        y = y + 1
    y.backward()
    assert_array_equal(x.grad, [1])


def test_tensor_that_needs_no_gradient_gets_none():
    x, constant = Tensor([1.0], requires_grad=True), Tensor([2.0])
    (x * constant).backward()
    assert constant.grad is None


def test_nothing_is_recorded_under_no_grad():
    x = Tensor([1.0], requires_grad=True)
    with no_grad():
        y = x * 2
    assert (y.requires_grad, y.inputs, y.op) == (False, (), "leaf")
    with pytest.raises(ValueError, match="needs a result that requires a gradient"):
        y.backward()
    (x * 2).backward()
    assert_array_equal(x.grad, [2])


def test_recording_goes_on_after_an_error_under_no_grad():
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert (Tensor([1.0], requires_grad=True) * 2).requires_grad


def test_detached_tensor_shares_the_array_and_stops_gradients():
    x = Tensor([3.0], requires_grad=True)
    y = x * x
    assert y.detach().data is y.data
    (y.detach() * x).backward()
    assert_array_equal(x.grad, [9])


def test_second_backward_through_one_tape_is_refused():
    x = Tensor([1.0], requires_grad=True)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(ValueError, match="came through this 'sum' before"):
        y.backward()


def test_shared_part_of_two_tapes_is_refused_the_second_time():
    x = Tensor([1.0], requires_grad=True)
    shared = x * x
    (shared * 2).backward()
    with pytest.raises(ValueError, match="came through this 'multiply' before"):
        (shared * 3).backward()


def test_gradient_of_another_shape_is_refused():
    x = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ValueError, match=r"`grad` has shape \(3,\), expected the result's \(2,\)"):
        (x * 2).backward(np.ones(3))
    with pytest.raises(ValueError, match=r"one number only, and the result's shape is \(2,\)"):
        (x * 2).backward()


def test_pull_back_of_the_wrong_shape_is_caught_where_it_is_made(planted):
    @planted("x")
    def forgets_to_broadcast(x):
        return x * 2, each(lambda grad: grad.sum())

    x = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ValueError, match=r"'forgets_to_broadcast' gave input 0 a gradient of shape \(\), .* \(2,\)"):
        forgets_to_broadcast(x).sum().backward()


def test_pull_back_that_forgets_an_input_is_caught(planted):
    @planted("a", "b")
    def forgets_b(a, b):
        return a + b, lambda grad, wanted: (grad,)

    with pytest.raises(ValueError, match="zip"):
        forgets_b(Tensor([1.0], requires_grad=True), Tensor([1.0])).backward()


def test_only_wanted_gradients_are_computed():
    asked = []

    def counted(name):
        def kernel(*arguments):
            asked.append(name)
            return getattr(kernels.reference, name)(*arguments)

        return kernel

    names = ("conv2d_input_gradient", "conv2d_weight_gradient")
    image, stem, frozen = Tensor(np.ones((1, 4, 4, 1))), np.ones((1, 1, 1, 2)), Tensor(np.ones((1, 1, 2, 2)))
    with kernels.use(**{name: counted(name) for name in names}):
        y = F.conv2d(image, Tensor(stem, requires_grad=True))
        F.conv2d(y, frozen).sum().backward()
    assert asked == ["conv2d_input_gradient", "conv2d_weight_gradient"]


def test_pull_back_is_told_what_is_wanted(planted):
    told = []

    @planted("a", "b", "c")
    def probe(a, b, c=None):
        return a + b, lambda grad, wanted: told.append(wanted) or (grad, None, None)

    probe(Tensor([1.0], requires_grad=True), Tensor([1.0])).backward()
    assert told == [(True, False, False)]


def test_tape_is_freed_by_the_pass():
    x = Tensor([1.0], requires_grad=True)
    y = x * x
    z = y.sum()
    z.backward()
    assert (y.pull_back, z.pull_back) == (None, None)


@pytest.mark.parametrize("twin_of", [copy.deepcopy, lambda tensor: pickle.loads(pickle.dumps(tensor))])
def test_tensor_and_its_copy_can_stand_on_one_tape(twin_of):
    x = Tensor([1.0], requires_grad=True)
    twin = twin_of(x)
    y = x * 2 + twin * 3 + x * twin + x + twin + x
    y.backward()
    assert_array_equal([x.grad, twin.grad], [[5], [5]])


def test_leaf_younger_than_its_results_still_gets_all_shares():
    # As after unpickling in another process, whose clock began anew.
    x = Tensor([1.0], requires_grad=True)
    x.born = 10**9
    a, b = x + 0, x + 0
    (a + b + a + b + x).backward()
    assert_array_equal(x.grad, [5])


def test_backward_function_and_method_are_one():
    x = Tensor([2.0], requires_grad=True)
    backward(x * x)
    assert_array_equal(x.grad, [4])
