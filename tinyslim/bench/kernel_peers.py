"""The same work as our kernels', as functions of the peers: NumPy, PyTorch in both layouts, ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from .peers import Peers

Functions = dict[str, Callable]


def peer_functions(kernel: str, arguments: tuple, peers: Peers) -> Functions:
    """What each peer would call for a kernel's arguments, by name; empty where none has such a function."""
    functions: Functions = {}
    if kernel == "gemm":
        a, b = arguments
        functions["NumPy's OpenBLAS"] = partial(np.matmul, a, b, out=a @ b)
    if peers.torch and kernel in _TORCH:
        functions |= _TORCH[kernel](peers.torch, *arguments)
    if peers.onnxruntime and kernel == "gemm_int8":
        functions["ONNX Runtime"] = onnxruntime_product(peers, *arguments)
    return functions


def _layouts(torch) -> dict:
    return {"PyTorch, channels last": torch.channels_last, "PyTorch": torch.contiguous_format}


def torch_images(torch, x: np.ndarray, layout):
    """NHWC images as a tensor of this memory format."""
    return torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=layout)


def torch_filters(torch, weight: np.ndarray, layout):
    """HWIO filters, or depthwise HWC ones, as a tensor of this memory format; and the number of groups."""
    groups = weight.shape[2] if weight.ndim == 3 else 1
    filters = weight[:, :, None] if weight.ndim == 3 else weight
    return torch.from_numpy(filters).permute(3, 2, 0, 1).contiguous(memory_format=layout), groups


def _sides(padding) -> int:
    if not isinstance(padding, int):
        raise ValueError(f"`padding` (={padding!r}) must be an int for PyTorch")
    return padding


def torch_forward(torch, x, weight, bias=None, stride=1, padding=0) -> Functions:
    """`conv2d` and `depthwise_conv2d` in PyTorch."""
    functions = {}
    for name, layout in _layouts(torch).items():
        filters, groups = torch_filters(torch, weight, layout)
        shift = None if bias is None else torch.from_numpy(bias)
        images = torch_images(torch, x, layout)
        call = partial(torch.nn.functional.conv2d, images, filters, shift, stride, _sides(padding), 1, groups)
        functions[name] = call
    return functions


def _torch_backward(torch, x, grad, weight, stride, padding, wanted: list[bool]) -> Functions:
    functions = {}
    for name, layout in _layouts(torch).items():
        filters, groups = torch_filters(torch, weight, layout)
        images, outputs = torch_images(torch, x, layout), torch_images(torch, grad, layout)
        place = (None, [stride] * 2, [_sides(padding)] * 2, [1, 1], False, [0, 0], groups, wanted)
        functions[name] = partial(torch.ops.aten.convolution_backward, outputs, images, filters, *place)
    return functions


def torch_input_gradient(torch, grad, weight, input_shape, stride=1, padding=0) -> Functions:
    """The gradient of the images in PyTorch."""
    x = np.zeros(input_shape, grad.dtype)
    return _torch_backward(torch, x, grad, weight, stride, padding, [True, False, False])


def torch_weight_gradient(torch, x, grad, weight_shape, stride=1, padding=0) -> Functions:
    """The gradient of the filters in PyTorch."""
    weight = np.zeros(weight_shape, x.dtype)
    return _torch_backward(torch, x, grad, weight, stride, padding, [False, True, False])


def torch_forward_and_backward(torch, x, weight, grad, stride, padding) -> Functions:
    """A convolution and both of its gradients, as PyTorch's autograd calls them."""
    functions = {}
    for name, layout in _layouts(torch).items():
        filters, groups = torch_filters(torch, weight, layout)
        leaves = [torch_images(torch, x, layout).requires_grad_(), filters.requires_grad_()]
        outputs = torch_images(torch, grad, layout)

        def both(leaves=leaves, outputs=outputs, groups=groups):
            result = torch.nn.functional.conv2d(*leaves, None, stride, _sides(padding), 1, groups)
            return torch.autograd.grad(result, leaves, outputs)

        functions[name] = both
    return functions


def torch_product(torch, a, b) -> Functions:
    """`gemm` in PyTorch."""
    left, right = torch.from_numpy(a), torch.from_numpy(b)
    return {"PyTorch": partial(torch.mm, left, right, out=left @ right)}


_TORCH = {
    "gemm": torch_product,
    "conv2d": torch_forward,
    "depthwise_conv2d": torch_forward,
    "conv2d_input_gradient": torch_input_gradient,
    "depthwise_conv2d_input_gradient": torch_input_gradient,
    "conv2d_weight_gradient": torch_weight_gradient,
    "depthwise_conv2d_weight_gradient": torch_weight_gradient,
}


def onnxruntime_product(peers: Peers, a: np.ndarray, b: np.ndarray) -> Callable:
    """`gemm_int8` as the operator MatMulInteger, whose weights ONNX Runtime packs when it loads them."""
    from onnx import TensorProto, helper, numpy_helper

    from .onnx_networks import session

    node = helper.make_node("MatMulInteger", ["a", "b"], ["c"])
    inputs = [helper.make_tensor_value_info("a", TensorProto.UINT8, a.shape)]
    outputs = [helper.make_tensor_value_info("c", TensorProto.INT32, (len(a), b.shape[1]))]
    graph = helper.make_graph([node], "product", inputs, outputs, [numpy_helper.from_array(b, "b")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    run = session(peers, model.SerializeToString())
    return lambda: run.run(None, {"a": a})[0]
