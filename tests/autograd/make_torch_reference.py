"""Write torch_reference.npz: what PyTorch makes of small inputs, so that the tests can compare without it.

Run by hand, in an environment that has torch: ``python tests/autograd/make_torch_reference.py``. Arrays are stored as
tinyslim has them (images NHWC, filters HWIO), in float64; this file does the turning. Under the key ``cases`` lies a
JSON list; the arrays of a case begin with its name.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as TF

PATH = Path(__file__).with_name("torch_reference.npz")
RNG = np.random.default_rng(7)
ARRAYS: dict[str, np.ndarray] = {}
CASES: dict[str, list[dict]] = {"operations": [], "optimizers": []}


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


def images(array: torch.Tensor) -> torch.Tensor:
    """(n, y, x, c) → (n, c, y, x)."""
    return array.permute(0, 3, 1, 2)


def back(array: torch.Tensor) -> torch.Tensor:
    """(n, c, y, x) → (n, y, x, c)."""
    return array.permute(0, 2, 3, 1)


def padded(x: torch.Tensor, padding, size: int, stride: int, value: float = 0.0) -> torch.Tensor:
    """(n, c, y, x) with `padding` as tinyslim means it."""
    if padding == "same":
        total = [max((-(-length // stride) - 1) * stride + size - length, 0) for length in x.shape[2:]]
        padding = total[0] // 2, total[0] - total[0] // 2, total[1] // 2, total[1] - total[1] // 2
    top, bottom, left, right = (padding,) * 4 if isinstance(padding, int) else padding
    return TF.pad(x, (left, right, top, bottom), value=value)


def conv2d(x, weight, bias=None, stride=1, padding=0):
    x = padded(images(x), padding, weight.shape[0], stride)
    return back(TF.conv2d(x, weight.permute(3, 2, 0, 1), bias, stride))


def depthwise_conv2d(x, weight, bias=None, stride=1, padding=0):
    x = padded(images(x), padding, weight.shape[0], stride)
    return back(TF.conv2d(x, weight.permute(2, 0, 1)[:, None], bias, stride, groups=weight.shape[2]))


def max_pool2d(x, size, stride, padding):
    return back(TF.max_pool2d(padded(images(x), padding, size, stride, -torch.inf), size, stride))


def avg_pool2d(x, size, stride, padding):
    return back(TF.avg_pool2d(padded(images(x), padding, size, stride), size, stride))


def cross_entropy(logits, labels, label_smoothing=0.0):
    return TF.cross_entropy(logits, torch.tensor(labels), label_smoothing=label_smoothing)


def soft_cross_entropy(student, teacher, student_temperature, teacher_temperature):
    return TF.cross_entropy(student / student_temperature, TF.softmax(teacher / teacher_temperature, 1))


def fake_quant(x, scale, zero_point, qmin, qmax, axis=None):
    if axis is None:
        return torch.fake_quantize_per_tensor_affine(x.float(), scale, zero_point, qmin, qmax)
    zeros = torch.full((len(scale),), zero_point, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(x.float(), torch.tensor(scale), zeros, axis, qmin, qmax)


OPERATIONS = {
    "conv2d": conv2d,
    "depthwise_conv2d": depthwise_conv2d,
    "linear": lambda x, weight, bias: TF.linear(x, weight.T, bias),
    "matmul": torch.matmul,
    "relu": TF.relu,
    "relu6": TF.relu6,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "exp": torch.exp,
    "log": torch.log,
    "softmax": lambda x, axis: TF.softmax(x, axis),
    "log_softmax": lambda x, axis: TF.log_softmax(x, axis),
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "global_avg_pool2d": lambda x: x.mean((1, 2)),
    "cross_entropy": cross_entropy,
    "mse_loss": TF.mse_loss,
    "soft_cross_entropy": soft_cross_entropy,
    "fake_quant": fake_quant,
}


def operation(op: str, *inputs: np.ndarray, **attributes) -> None:
    """Store the inputs of an operation, its result, a gradient for the result and what flows back from that."""
    name = f"{op}-{len(CASES['operations'])}"
    leaves = [torch.tensor(array, requires_grad=True) for array in inputs]
    result = OPERATIONS[op](*leaves, **attributes)
    covector = torch.tensor(RNG.standard_normal(tuple(result.shape)), dtype=result.dtype)
    result.backward(covector)
    ARRAYS[f"{name}/result"], ARRAYS[f"{name}/covector"] = result.detach().numpy(), covector.numpy()
    for index, leaf in enumerate(leaves):
        ARRAYS[f"{name}/input{index}"], ARRAYS[f"{name}/grad{index}"] = leaf.detach().numpy(), leaf.grad.numpy()
    CASES["operations"].append({"name": name, "op": op, "inputs": len(inputs), "attributes": attributes})


def operations() -> None:
    for stride, padding in product((1, 2), (0, 1, (0, 2, 1, 0), "same")):
        operation("conv2d", normal(2, 5, 4, 2), normal(3, 3, 2, 3), normal(3), stride=stride, padding=padding)
        operation("depthwise_conv2d", normal(2, 5, 4, 3), normal(3, 3, 3), normal(3), stride=stride, padding=padding)
    operation("conv2d", normal(2, 4, 3, 5), normal(1, 1, 5, 4))
    operation("linear", normal(4, 5), normal(5, 3), normal(3))
    operation("matmul", normal(2, 3, 4), normal(4, 2))
    kinks = np.array([[-1.5, -0.0, 0.0, 0.5], [3.0, 6.0, 6.5, 100.0]])
    for activation in ("relu", "relu6", "sigmoid", "tanh"):
        operation(activation, kinks)
    operation("exp", normal(3, 4))
    operation("log", normal(3, 4) ** 2 + 0.1)
    for axis in (-1, 1):
        operation("softmax", 5 * normal(2, 3, 4), axis=axis)
        operation("log_softmax", 50 * normal(2, 3, 4), axis=axis)
    # Few different numbers, so that the largest one of a window often occurs twice.
    tied = RNG.integers(0, 3, (2, 6, 5, 2)).astype(float)
    for size, stride, padding in ((2, 2, 0), (3, 2, 1), (3, 1, (1, 0, 2, 1))):
        operation("max_pool2d", normal(2, 6, 5, 2), size=size, stride=stride, padding=padding)
        operation("max_pool2d", tied, size=size, stride=stride, padding=padding)
        operation("avg_pool2d", normal(2, 6, 5, 2), size=size, stride=stride, padding=padding)
    operation("global_avg_pool2d", normal(2, 4, 3, 5))
    for label_smoothing in (0.0, 0.1):
        operation("cross_entropy", 3 * normal(4, 5), labels=[0, 4, 2, 2], label_smoothing=label_smoothing)
    operation("mse_loss", normal(3, 4), normal(3, 4))
    operation("soft_cross_entropy", normal(4, 5), normal(4, 5), student_temperature=2.0, teacher_temperature=4.0)
    operation("fake_quant", normal(4, 6), scale=1 / 128, zero_point=100, qmin=0, qmax=255)
    operation("fake_quant", normal(4, 3), scale=[0.25, 1 / 128, 0.5], zero_point=0, qmin=-7, qmax=7, axis=1)


def batch_norm() -> None:
    """Three steps of training, then one of use."""
    layer = torch.nn.BatchNorm2d(3, dtype=torch.float64)
    gamma, beta = normal(3), normal(3)
    layer.load_state_dict({"weight": torch.tensor(gamma), "bias": torch.tensor(beta)}, strict=False)
    ARRAYS["batch_norm/gamma"], ARRAYS["batch_norm/beta"] = gamma, beta
    for step in range(4):
        layer.train(step < 3).zero_grad()
        x = torch.tensor(2 * normal(4, 3, 2, 3) + 1, requires_grad=True)
        result = back(layer(images(x)))
        covector = torch.tensor(normal(*result.shape))
        result.backward(covector)
        found = {"x": x, "result": result, "covector": covector, "mean": layer.running_mean, "var": layer.running_var}
        found |= {"grad_x": x.grad, "grad_gamma": layer.weight.grad, "grad_beta": layer.bias.grad}
        ARRAYS.update({f"batch_norm/{name}{step}": array.detach().numpy().copy() for name, array in found.items()})


def optimizers() -> None:
    """Five steps with given gradients; weight decay pulls at matrices alone, as tinyslim has it."""
    settings = [
        ("SGD", {"lr": 0.1}),
        ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
        ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
        ("Adam", {"lr": 0.01, "weight_decay": 0.1}),
        ("AdamW", {"lr": 0.01, "betas": (0.8, 0.99), "weight_decay": 0.1}),
    ]
    for index, (name, options) in enumerate(settings):
        case = f"{name}-{index}"
        weight, bias = (torch.tensor(normal(*shape), requires_grad=True) for shape in ((3, 2), (2,)))
        ARRAYS[f"{case}/weight"], ARRAYS[f"{case}/bias"] = weight.detach().numpy().copy(), bias.detach().numpy().copy()
        spared = {"params": [bias], "weight_decay": 0.0}
        optimizer = getattr(torch.optim, name)([{"params": [weight]}, spared], **options)
        for step in range(5):
            for parameter, label in ((weight, "weight"), (bias, "bias")):
                parameter.grad = torch.tensor(normal(*parameter.shape))
                ARRAYS[f"{case}/{label}_grad{step}"] = parameter.grad.numpy().copy()
            optimizer.step()
            ARRAYS[f"{case}/weight{step}"] = weight.detach().numpy().copy()
            ARRAYS[f"{case}/bias{step}"] = bias.detach().numpy().copy()
        CASES["optimizers"].append({"name": case, "optimizer": name, "options": options})


class GlobalAvgPool2d(torch.nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def as_tinyslim(name: str, layer: torch.nn.Module, array: torch.Tensor) -> np.ndarray:
    """A layer's array with its axes in tinyslim's order."""
    if isinstance(layer, torch.nn.Conv2d) and name == "weight":
        array = array[:, 0].permute(1, 2, 0) if layer.groups > 1 else array.permute(2, 3, 1, 0)
    elif isinstance(layer, torch.nn.Linear) and name == "weight":
        array = array.T
    return array.detach().numpy().copy()


def network_step() -> None:
    """One step of SGD of a network with all kinds of layers that MobileNet has."""
    torch.manual_seed(0)
    nn = torch.nn
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4, bias=False), nn.BatchNorm2d(4), nn.ReLU6(),
        nn.Conv2d(4, 6, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
        GlobalAvgPool2d(), nn.Linear(6, 5),
    ).double()  # fmt: skip
    for layer in net:
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data, layer.bias.data = (torch.tensor(normal(len(layer.weight))) for _ in range(2))
    matrices = [parameter for parameter in net.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in net.parameters() if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors}]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True)
    store_network(net, "before")
    x, labels = normal(4, 6, 6, 3), np.array([0, 3, 1, 1])
    loss = TF.cross_entropy(net(images(torch.tensor(x))), torch.tensor(labels), label_smoothing=0.1)
    loss.backward()
    optimizer.step()
    store_network(net, "after")
    ARRAYS.update({"network/x": x, "network/labels": labels, "network/loss": loss.detach().numpy()})
    for index, layer in enumerate(net):
        for name, parameter in layer.named_parameters():
            ARRAYS[f"network/grad/{index}.{name}"] = as_tinyslim(name, layer, parameter.grad)


def store_network(net: torch.nn.Sequential, moment: str) -> None:
    for index, layer in enumerate(net):
        for name, array in layer.state_dict().items():
            if name != "num_batches_tracked":
                ARRAYS[f"network/{moment}/{index}.{name}"] = as_tinyslim(name, layer, array)


if __name__ == "__main__":
    operations()
    batch_norm()
    optimizers()
    network_step()
    ARRAYS["cases"] = np.frombuffer(json.dumps(CASES).encode(), np.uint8)
    np.savez_compressed(PATH, **ARRAYS)
    print(f"{PATH.name}: {len(ARRAYS)} arrays, {PATH.stat().st_size} bytes, torch {torch.__version__}")
