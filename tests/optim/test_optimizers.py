"""Optimizers: steps, decay, resume, clipping. That they walk where PyTorch's do is tested beside its reference."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tinyslim import Tensor, nn, optim

OPTIMIZERS = {
    "SGD": lambda parameters: optim.SGD(parameters, 0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda parameters: optim.Adam(parameters, 0.01, weight_decay=0.01),
    "AdamW": lambda parameters: optim.AdamW(parameters, 0.01, weight_decay=0.01),
}


def parameters() -> list[Tensor]:
    rng = np.random.default_rng(1)
    return [Tensor(rng.standard_normal(shape).astype(np.float32), requires_grad=True) for shape in ((3, 2), (2,), ())]


def take_steps(optimizer: optim.Optimizer, start: int, stop: int) -> None:
    for step in range(start, stop):
        rng = np.random.default_rng(step)
        for parameter in optimizer.parameters:
            parameter.grad = rng.standard_normal(parameter.shape).astype(np.float32)
        optimizer.step()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_resumed_optimizer_walks_on_bit_for_bit(name, tmp_path):
    unbroken, broken = parameters(), parameters()
    take_steps(OPTIMIZERS[name](unbroken), 0, 6)
    first = OPTIMIZERS[name](broken)
    take_steps(first, 0, 3)
    np.savez(tmp_path / "state.npz", **first.state_dict())
    second = OPTIMIZERS[name](broken)
    with np.load(tmp_path / "state.npz", allow_pickle=False) as state:
        second.load_state_dict(dict(state))
    take_steps(second, 3, 6)
    for one, other in zip(unbroken, broken, strict=True):
        assert_array_equal(one.data, other.data)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_spares_batch_norm_and_biases(name):
    layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.DepthwiseConv2d(2, 3), nn.BatchNorm2d(2), nn.Linear(2, 2))
    for tensor in layers.parameters():
        tensor.data[...], tensor.grad = 1, np.zeros_like(tensor.data)
    OPTIMIZERS[name](layers.parameters()).step()
    moved = {name for name, tensor in layers.named_parameters() if (tensor.data != 1).any()}
    assert moved == {"0.weight", "1.weight", "3.weight"}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_parameter_without_a_gradient_stays(name):
    moved, frozen = parameters()[0], parameters()[0]
    moved.grad = np.ones_like(moved.data)
    OPTIMIZERS[name]([moved, frozen]).step()
    assert_array_equal(frozen.data, parameters()[0].data)
    assert (moved.data != frozen.data).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_change_the_array_in_place_and_keep_its_dtype(name):
    for dtype in (np.float32, np.float64):
        weight = Tensor(np.ones((2, 2), dtype), requires_grad=True)
        array, weight.grad = weight.data, np.ones((2, 2), dtype)
        OPTIMIZERS[name]([weight]).step()
        assert weight.data is array
        assert array.dtype == dtype
        assert (array < 1).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_finds_the_bottom_of_a_bowl(name):
    target, weight = np.float32([[1, -2], [3, 0.5]]), Tensor(np.zeros((2, 2)), requires_grad=True)
    optimizer = OPTIMIZERS[name]([weight])
    optimizer.weight_decay = 0
    for step in range(400):
        optimizer.lr = 0.05 * (1 - step / 400)
        optimizer.zero_grad()
        ((weight - target) ** 2).sum().backward()
        optimizer.step()
    assert_allclose(weight.data, target, atol=0.02)


def test_zero_grad_forgets():
    weight = Tensor([1.0], requires_grad=True)
    (weight * 2).backward()
    optim.SGD([weight], 0.1).zero_grad()
    assert weight.grad is None


def test_state_of_another_model_is_refused():
    optimizer = optim.SGD(parameters(), 0.1, momentum=0.9)
    with pytest.raises(ValueError, match=r"no array 'velocity\.0' of shape \(3, 2\): was it another model"):
        optimizer.load_state_dict(optim.SGD([Tensor(np.ones((2, 2)))], 0.1).state_dict())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: optim.SGD([], 0.1), "`parameters` is empty"),
        (lambda p: optim.SGD(p, -0.1), r"`lr` \(=-0\.1\) must be a finite number"),
        (lambda p: optim.SGD(p, np.nan), r"`lr` \(=nan\)"),
        (lambda p: optim.SGD(p, 0.1, weight_decay=-1), r"`weight_decay` \(=-1\)"),
        (lambda p: optim.SGD(p, 0.1, momentum=1), r"`momentum` \(=1\) must be at least 0 and below 1"),
        (lambda p: optim.SGD(p, 0.1, nesterov=True), "`nesterov` needs a `momentum` above 0"),
        (lambda p: optim.Adam(p, betas=(0.9, 1.0)), r"`betas` \(=\(0\.9, 1\.0\)\)"),
    ],
)
def test_impossible_setting_is_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make(parameters())


def with_gradients(*gradients: list[float]) -> list[Tensor]:
    tensors = [Tensor(gradient, requires_grad=True) for gradient in gradients]
    for tensor in tensors:
        tensor.grad = tensor.data.copy()
    return tensors


def test_clipping_scales_all_gradients_together_to_the_norm():
    tensors = [*with_gradients([3.0, 0.0], [4.0]), Tensor([1.0])]
    assert optim.clip_gradients(tensors, 1.0) == 5
    assert_allclose(tensors[0].grad, [0.6, 0])
    assert_allclose(tensors[1].grad, [0.8])


def test_clipping_leaves_small_gradients_alone():
    tensors = with_gradients([3.0], [4.0])
    assert optim.clip_gradients(tensors, 6.0) == 5
    assert_array_equal([tensor.grad[0] for tensor in tensors], [3, 4])


def test_clipping_reaches_the_gradient_of_a_single_number():
    x = Tensor(3.0, requires_grad=True)
    (x * x).backward()
    optim.clip_gradients([x], 1.0)
    assert x.grad == 1


def test_exchanged_parameters_move_and_those_that_stay_keep_their_momentum():
    first, second = (Tensor(np.ones(3, np.float32), requires_grad=True) for _ in range(2))
    sgd = optim.SGD([first], lr=0.1, momentum=0.9)
    first.grad = np.ones(3, np.float32)
    sgd.step()
    sgd.exchange([second, first])
    assert [float(buffers["velocity"][0]) for buffers in sgd.buffers] == [0.0, 1.0]
    sgd.zero_grad()
    second.grad = np.ones(3, np.float32)
    sgd.step()
    assert np.allclose(second.data, 0.9) and np.allclose(first.data, 0.9)
    sgd.exchange([first])
    assert len(sgd.buffers) == 1 and float(sgd.buffers[0]["velocity"][0]) == 1.0
