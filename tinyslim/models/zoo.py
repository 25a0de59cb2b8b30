"""The networks by name, fresh or with the weights that ship."""

from __future__ import annotations

from typing import TypeVar

from tinyslim.nn import Module

from .inverted_residual import MobileNetV2, build_mobilenet_v2
from .mobilenet import MobileNetV1, build_mobilenet_v1
from .pretrained import load_pretrained
from .resnet import BasicBlock, Bottleneck, CifarResNet, ImageNetResNet

Network = TypeVar("Network", bound=Module)


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
    return _with_weights(model, f"mobilenet_v1_{width:g}", pretrained)


def mobilenet_v2(
    num_classes: int = 1000,
    width: float = 1.0,
    in_channels: int = 3,
    stem_stride: int = 2,
    strides: tuple[int, ...] | None = None,
    seed: int = 0,
    pretrained: str | None = None,
) -> MobileNetV2:
    """MobileNetV2 (Sandler et al. 2018, table 2): inverted residuals with linear bottlenecks.

    Parameters
    ----------
    num_classes : int
    width : float
        Multiplies all channel numbers, which are rounded to multiples of 8; below 1 not those of the last convolution.
    in_channels : int
    stem_stride : int
        2 as in the paper, 1 for small images.
    strides : tuple of int, optional
        Of the first block of each of the 7 stages; None is the paper's (1, 2, 2, 2, 1, 2, 1).
    seed : int
        Of the fresh weights.
    pretrained : str, optional
        The data set of weights that ship; none ship for this network.

    Examples
    --------
    >>> from tinyslim import models
    >>> models.mobilenet_v2(num_classes=10, width=0.5).blocks[-1].project
    Conv2d(weight (1, 1, 480, 160), stride=1, padding=0)
    """
    model = build_mobilenet_v2(num_classes, width, in_channels, stem_stride, strides, seed)
    return _with_weights(model, f"mobilenet_v2_{width:g}", pretrained)


def resnet20(num_classes: int = 10, in_channels: int = 3, seed: int = 0, pretrained: str | None = None) -> CifarResNet:
    """The residual network of 20 layers for small images (He et al. 2016, §4.2), with 1×1 projection shortcuts.

    Parameters
    ----------
    num_classes, in_channels, seed : int
    pretrained : str, optional
        "fashion_mnist": the weights that ship, for ``in_channels=1``; the recipes' teacher.

    Examples
    --------
    >>> from tinyslim import models
    >>> sum(parameter.size for parameter in models.resnet20().parameters())
    272474
    """
    model = CifarResNet(3, num_classes, in_channels, seed)
    return _with_weights(model, "resnet20", pretrained)


def resnet56(num_classes: int = 10, in_channels: int = 3, seed: int = 0, pretrained: str | None = None) -> CifarResNet:
    """The residual network of 56 layers for small images (He et al. 2016, §4.2); settings as `resnet20`.

    Examples
    --------
    >>> from tinyslim import models
    >>> sum(parameter.size for parameter in models.resnet56().parameters())
    855770
    """
    model = CifarResNet(9, num_classes, in_channels, seed)
    return _with_weights(model, "resnet56", pretrained)


def resnet18(
    num_classes: int = 1000,
    width: float = 1.0,
    in_channels: int = 3,
    stem_stride: int = 2,
    seed: int = 0,
    pretrained: str | None = None,
) -> ImageNetResNet:
    """The residual network of 18 layers for large images (He et al. 2016, table 1), with 1×1 projection shortcuts.

    Parameters
    ----------
    num_classes : int
    width : float
        Multiplies all channel numbers.
    in_channels : int
    stem_stride : int
        2 as in the paper: a 7×7 convolution of stride 2 and a max pooling of stride 2. 1 for small images: a 3×3
        convolution of stride 1 and no pooling.
    seed : int
        Of the fresh weights.
    pretrained : str, optional
        The data set of weights that ship; none ship for this network.

    Examples
    --------
    >>> from tinyslim import models
    >>> models.resnet18(num_classes=10, width=0.5, stem_stride=1).conv
    Conv2d(weight (3, 3, 3, 32), stride=1, padding=1)
    """
    model = ImageNetResNet(BasicBlock, (2, 2, 2, 2), num_classes, width, in_channels, stem_stride, seed)
    return _with_weights(model, f"resnet18_{width:g}", pretrained)


def resnet34(
    num_classes: int = 1000,
    width: float = 1.0,
    in_channels: int = 3,
    stem_stride: int = 2,
    seed: int = 0,
    pretrained: str | None = None,
) -> ImageNetResNet:
    """The residual network of 34 layers for large images (He et al. 2016, table 1); settings as `resnet18`."""
    model = ImageNetResNet(BasicBlock, (3, 4, 6, 3), num_classes, width, in_channels, stem_stride, seed)
    return _with_weights(model, f"resnet34_{width:g}", pretrained)


def resnet50(
    num_classes: int = 1000,
    width: float = 1.0,
    in_channels: int = 3,
    stem_stride: int = 2,
    seed: int = 0,
    pretrained: str | None = None,
) -> ImageNetResNet:
    """The residual network of 50 layers for large images (He et al. 2016, table 1); settings as `resnet18`.

    Its blocks are bottlenecks, and where the image shrinks the 3×3 convolution has the stride, as in PyTorch.
    """
    model = ImageNetResNet(Bottleneck, (3, 4, 6, 3), num_classes, width, in_channels, stem_stride, seed)
    return _with_weights(model, f"resnet50_{width:g}", pretrained)


def _with_weights(model: Network, name: str, pretrained: str | None) -> Network:
    if pretrained is not None:
        load_pretrained(model, name, pretrained)
    return model
