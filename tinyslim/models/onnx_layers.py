"""ONNX's operators with weights as layers of ours, which go on training."""

from __future__ import annotations

import numpy as np

from tinyslim.nn import BatchNorm2d, Conv2d, DepthwiseConv2d, Dropout, Linear

from .onnx_layout import Value, filters
from .onnx_step import Step
from .onnx_windows import check_result, sides_of, simplest, stride_of, without_padding


def convolution(step: Step) -> Value:
    """Conv: dense, or depthwise with one filter a channel."""
    value, weight = step.value(), step.reals(1, "weight")
    if weight.ndim != 4 or 0 in weight.shape:
        raise ValueError(f"has a weight of the shape {weight.shape}; expected (cout, cin, kh, kw)")
    size, image, stride = weight.shape[2:], value.image, stride_of(step)
    if step.integers("kernel_shape", list(size)) != list(size):
        raise ValueError(f"has `kernel_shape` (={step.integers('kernel_shape', None)}), but its weight is {size}")
    sides = sides_of(step, image, size, stride)
    value, sides = without_padding(value, sides)
    check_result(value.image, size, stride, sides, len(weight))
    kind, ours = _kind_of(step.integer("group", 1), value.channels, weight)
    bias = step.reals(2, "bias", required=False)
    _check_vector("bias", bias, len(weight))
    bias = _sum(bias, step.bias_behind(len(weight), 4))
    layer = step.layer(kind, {"stride": stride, "padding": simplest(sides)}, {"weight": ours, "bias": bias})
    return Value(layer(value.tensor))


def _kind_of(group: int, channels: int, weight: np.ndarray) -> tuple[type, np.ndarray]:
    """The layer that computes a convolution in `group` groups, and its weight."""
    outputs, depth = weight.shape[:2]
    if depth * group != channels:
        raise ValueError(
            f"has `group` (={group}) and a weight of the shape {weight.shape}, which take {depth * group} channels, "
            f"but {channels} come in"
        )
    if group == 1:
        return Conv2d, filters(weight)
    if group == channels == outputs:
        return DepthwiseConv2d, filters(weight)[:, :, 0]
    raise ValueError(
        f"has `group` (={group}) for {channels} channels in and {outputs} out; only 1 (dense) and depthwise, as many "
        "groups as channels in and out, are read"
    )


def _check_vector(what: str, array: np.ndarray | None, width: int) -> None:
    if array is not None and array.shape != (width,):
        raise ValueError(f"has a {what} of the shape {array.shape}; expected ({width},)")


def batch_normalization(step: Step) -> Value:
    """BatchNormalization: it normalises again when the network is trained. ONNX's momentum is the share that stays."""
    value, names = step.value(), ("scale", "bias", "mean", "variance")
    arrays = [step.reals(position, name) for position, name in enumerate(names, 1)]
    for name, array in zip(names, arrays, strict=True):
        _check_vector(name, array, value.channels)
    scale, bias, mean, var = (value.rows(array) for array in arrays)
    eps = step.number("epsilon", 1e-5)
    if not (var + eps > 0).all():
        raise ValueError(f"has a variance of {var.min():g} and `epsilon` (={eps:g}); their sum must be above 0")
    settings = {"momentum": _short(1 - step.number("momentum", 0.9)), "eps": _short(eps)}
    buffers = {"running_mean": mean, "running_var": var}
    layer = step.layer(BatchNorm2d, settings, {"weight": scale, "bias": bias}, buffers)
    return Value(layer(value.tensor), value.order)


def _short(number: float) -> float:
    """A number that the file has as float32, as somebody once wrote it: 1e-05, not 9.99999974737875e-06."""
    return float(f"{number:.6g}")


def gemm(step: Step) -> Value:
    """Gemm: α·x·B + β·C, where B may lie transposed."""
    value, weight = step.value(), step.reals(1, "weight")
    if step.integer("transA", 0):
        raise ValueError("has `transA` (=1), which mixes the images of a batch")
    if weight.ndim != 2:
        raise ValueError(f"has a weight of the shape {weight.shape}; expected a matrix")
    weight = step.number("alpha", 1.0) * (weight.T if step.integer("transB", 0) else weight)
    bias = step.reals(2, "bias", required=False)
    if bias is not None:
        if bias.size not in (1, weight.shape[1]):
            raise ValueError(f"has a bias of the shape {bias.shape}; expected ({weight.shape[1]},)")
        bias = np.broadcast_to(step.number("beta", 1.0) * bias.reshape(-1), weight.shape[1])
    return _linear(step, value, weight, _sum(bias, step.bias_behind(weight.shape[1], 2)))


def _sum(bias: np.ndarray | None, behind: np.ndarray | None) -> np.ndarray | None:
    """A layer's own bias, and that of an Add behind it."""
    if bias is None or behind is None:
        return behind if bias is None else bias
    return bias + behind


def matrix_product(step: Step) -> Value:
    """MatMul with a constant matrix, and the Add of a bias behind it."""
    value, weight = step.value(), step.reals(1, "weight")
    if weight.ndim != 2:
        raise ValueError(f"has a weight of the shape {weight.shape}; expected a matrix")
    return _linear(step, value, weight, step.bias_behind(weight.shape[1], 2))


def _linear(step: Step, value: Value, weight: np.ndarray, bias: np.ndarray | None) -> Value:
    if value.is_image:
        raise ValueError("takes an image; expected a vector, as Flatten makes it")
    if 0 in weight.shape or len(weight) != value.channels:
        raise ValueError(f"has a weight of the shape {weight.shape}; expected {value.channels} rows")
    return Value(step.layer(Linear, {}, {"weight": value.rows(weight), "bias": bias})(value.tensor))


def dropout(step: Step) -> Value:
    """Dropout: it does nothing until the network is trained again."""
    ratio = step.number("ratio", 0.5) if step.opset < 12 else 0.5
    if step.has(1):
        ratio = step.reals(1, "ratio").item()
    if not 0 <= ratio < 1:
        raise ValueError(f"has a ratio of {ratio:g}; expected at least 0 and below 1")
    value = step.value()
    return Value(step.keep(Dropout(_short(ratio)))(value.tensor), value.order)
