"""Results and gradients are PyTorch's, as `make_torch_reference.py` stored them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import tinyslim.functional as F
from tinyslim import Tensor, nn, optim

PATH = Path(__file__).with_name("torch_reference.npz")
with np.load(PATH, allow_pickle=False) as file:
    REFERENCE = {name: file[name] for name in file.files}
CASES = json.loads(REFERENCE.pop("cases").tobytes())


def part(prefix: str) -> dict[str, np.ndarray]:
    """The arrays whose names begin with `prefix`, without it."""
    return {key.removeprefix(prefix): array for key, array in REFERENCE.items() if key.startswith(prefix)}


def attributes_of(case: dict) -> dict:
    """JSON knows lists only; paddings are tuples here."""
    return {
        name: tuple(v) if name == "padding" and isinstance(v, list) else v for name, v in case["attributes"].items()
    }


@pytest.mark.parametrize("case", CASES["operations"], ids=lambda case: case["name"])
def test_operation_and_its_gradients_are_those_of_torch(case):
    arrays = part(case["name"] + "/")
    leaves = [Tensor(arrays[f"input{index}"], requires_grad=True) for index in range(case["inputs"])]
    result = getattr(F, case["op"])(*leaves, **attributes_of(case))
    result.backward(arrays["covector"])
    assert_allclose(result.data, arrays["result"], rtol=1e-9, atol=1e-12)
    for index, leaf in enumerate(leaves):
        assert_allclose(leaf.grad, arrays[f"grad{index}"], rtol=1e-9, atol=1e-12)


def test_stored_cases_would_notice_another_convention():
    case = next(c for c in CASES["operations"] if c["op"] == "conv2d" and c["attributes"]["padding"] == [0, 2, 1, 0])
    arrays = part(case["name"] + "/")
    result = F.conv2d(*(Tensor(arrays[f"input{index}"]) for index in range(3)), stride=1, padding=(2, 0, 0, 1))
    assert not np.allclose(result.data, arrays["result"])


def test_batch_norm_follows_torch_through_training_and_into_use():
    arrays = part("batch_norm/")
    mean, var = np.zeros(3), np.ones(3)
    for step in range(4):
        x, gamma, beta = (Tensor(arrays[name], requires_grad=True) for name in (f"x{step}", "gamma", "beta"))
        result = F.batch_norm(x, gamma, beta, mean, var, training=step < 3, momentum=0.1, eps=1e-5)
        result.backward(arrays[f"covector{step}"])
        assert_allclose(result.data, arrays[f"result{step}"], rtol=1e-9)
        assert_allclose(mean, arrays[f"mean{step}"], rtol=1e-9)
        assert_allclose(var, arrays[f"var{step}"], rtol=1e-9)
        assert_allclose(x.grad, arrays[f"grad_x{step}"], rtol=1e-8, atol=1e-12)
        assert_allclose(gamma.grad, arrays[f"grad_gamma{step}"], rtol=1e-9)
        assert_allclose(beta.grad, arrays[f"grad_beta{step}"], rtol=1e-9)


@pytest.mark.parametrize("case", CASES["optimizers"], ids=lambda case: case["name"])
def test_optimizer_walks_where_torch_walks(case):
    arrays = part(case["name"] + "/")
    parameters = {name: Tensor(arrays[name].copy(), requires_grad=True) for name in ("weight", "bias")}
    optimizer = getattr(optim, case["optimizer"])(parameters.values(), **case["options"])
    for step in range(5):
        for name, parameter in parameters.items():
            parameter.grad = arrays[f"{name}_grad{step}"].copy()
        optimizer.step()
        for name, parameter in parameters.items():
            assert_allclose(parameter.data, arrays[f"{name}{step}"], rtol=1e-9, err_msg=f"{name} after step {step}")


def small_mobile_net() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
        nn.DepthwiseConv2d(4, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU6(),
        nn.Conv2d(4, 6, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
        nn.GlobalAvgPool2d(), nn.Linear(6, 5),
    ).astype(np.float64)  # fmt: skip


def test_training_step_of_a_network_is_that_of_torch():
    net = small_mobile_net()
    net.load_state_dict(part("network/before/"))
    optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)
    loss = F.cross_entropy(net(REFERENCE["network/x"]), REFERENCE["network/labels"], label_smoothing=0.1)
    loss.backward()
    assert_allclose(loss.data, REFERENCE["network/loss"], rtol=1e-9)
    gradients = part("network/grad/")
    assert gradients.keys() == dict(net.named_parameters()).keys()
    for name, parameter in net.named_parameters():
        assert_allclose(parameter.grad, gradients[name], rtol=1e-7, atol=1e-11, err_msg=name)
    optimizer.step()
    for name, array in part("network/after/").items():
        assert_allclose(net.state_dict()[name], array, rtol=1e-7, atol=1e-11, err_msg=name)
