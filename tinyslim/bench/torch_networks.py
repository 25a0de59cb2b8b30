"""A float32 Program as a network of PyTorch, in the modes in which PyTorch runs fastest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .kernel_peers import torch_filters, torch_images
from .peers import Peers


def to_torch(torch, program):
    """The network with a Program's own weights: batch norm is folded, as it is in the Program."""
    modules = []
    for op in program.ops:
        modules.append(_module(torch, op))
        if op.attributes.get("low") == 0.0 and op.attributes.get("high") is None:
            modules.append(torch.nn.ReLU(inplace=True))
    return torch.nn.Sequential(*modules).eval().requires_grad_(False)


def _module(torch, op):
    if op.kind in ("conv2d", "depthwise_conv2d"):
        return _convolution(torch, op)
    if op.kind == "linear":
        layer = torch.nn.Linear(*op.arrays["weight"].shape)
        _set(torch, layer, op.arrays["weight"].T, op.arrays["bias"])
        return layer
    if op.kind == "global_avg_pool2d":
        return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    raise ValueError(f"op {op.name!r} ({op.kind}) has no counterpart in PyTorch here")


def _convolution(torch, op):
    top, bottom, left, right = op.attributes["padding"]
    if top != bottom or left != right:
        raise ValueError(f"op {op.name!r}: `padding` (={op.attributes['padding']}) must be the same on both sides")
    filters, groups = torch_filters(torch, op.arrays["weight"], torch.contiguous_format)
    outputs, inputs, *size = filters.shape
    place = {"stride": op.attributes["stride"], "padding": (top, left), "groups": groups}
    layer = torch.nn.Conv2d(inputs * groups, outputs, size, **place)
    _set(torch, layer, filters.numpy(), op.arrays["bias"])
    return layer


def _set(torch, layer, weight: np.ndarray, bias: np.ndarray) -> None:
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
        layer.bias.copy_(torch.from_numpy(bias))


def torch_modes(peers: Peers, program, x: np.ndarray) -> tuple[dict[str, Callable], list[str]]:
    """Functions that run images x (n, h, w, c) in each mode, and a note for each mode that this machine can't do."""
    torch = peers.torch
    functions, notes = {}, []
    layouts = {"channels last": torch.channels_last, "channels first": torch.contiguous_format}
    for name, (prepare, layout) in {
        "PyTorch eager": (lambda model, images: model, "channels last"),
        "PyTorch scripted": (_scripted, "channels last"),
        "PyTorch scripted, channels first": (_scripted, "channels first"),
        "PyTorch compiled": (_compiled, "channels last"),
    }.items():
        images = torch_images(torch, x, layouts[layout])
        model = to_torch(torch, program).to(memory_format=layouts[layout])
        try:
            with torch.inference_mode():
                functions[name] = _runner(torch, prepare(model, images), images)
        except Exception as error:  # what a missing compiler raises differs from system to system
            notes.append(f"{name} is left out: {str(error).strip().splitlines()[0]}")
    return functions, notes


def _scripted(model, images):
    import torch

    return torch.jit.optimize_for_inference(torch.jit.trace(model, images))


def _compiled(model, images):
    """Compiled with its weights as constants, so that they are packed ahead of time."""
    import torch
    from torch import _inductor

    with _inductor.config.patch(freezing=True):
        compiled = torch.compile(model, dynamic=False)
        compiled(images)
    return compiled


def _runner(torch, model, images) -> Callable[[], np.ndarray]:
    def run():
        with torch.inference_mode():
            return model(images).numpy()

    return run
