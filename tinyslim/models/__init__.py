"""The zoo: networks as their papers have them, and the weights that ship."""

from .onnx_import import from_onnx
from .zoo import mobilenet_v1, mobilenet_v2, resnet18, resnet20, resnet34, resnet50, resnet56

__all__ = ["from_onnx", "mobilenet_v1", "mobilenet_v2", "resnet18", "resnet20", "resnet34", "resnet50", "resnet56"]
