"""The networks by name, fresh or with the weights that ship."""

from __future__ import annotations

from .mobilenet import MobileNetV1, build_mobilenet_v1
from .pretrained import load_pretrained
from .resnet import CifarResNet


def mobilenet_v1(
    num_classes: int = 1000,
    width: float = 1.0,
    in_channels: int = 3,
    stem_stride: int = 2,
    strides: tuple[int, ...] | None = None,
    seed: int = 0,
    pretrained: str | None = None,
) -> MobileNetV1:
    """MobileNetV1 (Howard et al. 2017, table 1): depthwise separable convolutions.

    Parameters
    ----------
    num_classes : int
    width : float
        Multiplies all channel numbers.
    in_channels : int
    stem_stride : int
        2 as in the paper, 1 for small images.
    strides : tuple of int, optional
        Of the 13 blocks; None is the paper's (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1).
    seed : int
        Of the fresh weights.
    pretrained : str, optional
        "fashion_mnist": the weights that ship, for ``num_classes=10, width=0.25, in_channels=1, stem_stride=1``.

    Examples
    --------
    >>> from tinyslim import models
    >>> models.mobilenet_v1(num_classes=10, width=0.25).classifier
    Linear(weight (256, 10), bias (10,))
    """
    model = build_mobilenet_v1(num_classes, width, in_channels, stem_stride, strides, seed)
    if pretrained is not None:
        load_pretrained(model, f"mobilenet_v1_{width:g}", pretrained)
    return model


def resnet20(num_classes: int = 10, in_channels: int = 3, seed: int = 0, pretrained: str | None = None) -> CifarResNet:
    """The residual network of 20 layers for small images (He et al. 2016, §4.2), with 1×1 projection shortcuts.

    Parameters
    ----------
    num_classes, in_channels, seed : int
    pretrained : str, optional
        "fashion_mnist": the weights that ship, for ``in_channels=1``; the recipes' teacher.
    """
    model = CifarResNet(3, num_classes, in_channels, seed)
    if pretrained is not None:
        load_pretrained(model, "resnet20", pretrained)
    return model
