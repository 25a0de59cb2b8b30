"""The zoo: networks as their papers have them, and the weights that ship."""

from .zoo import mobilenet_v1, resnet20

__all__ = ["mobilenet_v1", "resnet20"]
