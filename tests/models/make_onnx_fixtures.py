"""Writes onnx_fixtures/: networks of PyTorch as .onnx files, and what PyTorch answers to the same images.

    python tests/models/make_onnx_fixtures.py        (needs torch and onnx; the files are committed)

Random weights, but running statistics of batches that were seen, and γ, β that are not 1 and 0: a wrong channel order
or a forgotten mean would show. ``*_folded.onnx`` was exported as for use, its batch norms folded into convolutions.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

FOLDER = Path(__file__).parent / "onnx_fixtures"
IMAGES, SIZE = 4, 32


def convolution(cin: int, cout: int, size: int = 3, stride: int = 1, groups: int = 1, activation=None) -> nn.Sequential:
    layers = [nn.Conv2d(cin, cout, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(cout)]
    return nn.Sequential(*layers, *([activation()] if activation else []))


class MobileNetV1(nn.Module):
    """Blocks of a depthwise and a pointwise convolution."""

    def __init__(self, widths=((8, 1), (16, 2), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1))):
        super().__init__()
        layers, cin = [convolution(3, 8, activation=nn.ReLU)], 8
        for cout, stride in widths:
            layers += [convolution(cin, cin, 3, stride, cin, nn.ReLU), convolution(cin, cout, 1, activation=nn.ReLU)]
            cin = cout
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(cin, 10)

    def forward(self, x):
        return self.classifier(torch.flatten(self.pool(self.features(x)), 1))


class InvertedResidual(nn.Module):
    def __init__(self, cin: int, cout: int, stride: int, expansion: int):
        super().__init__()
        wide = cin * expansion
        self.layers = nn.Sequential(
            *([convolution(cin, wide, 1, activation=nn.ReLU6)] if expansion > 1 else []),
            convolution(wide, wide, 3, stride, wide, nn.ReLU6),
            convolution(wide, cout, 1),
        )
        self.residual = stride == 1 and cin == cout

    def forward(self, x):
        return x + self.layers(x) if self.residual else self.layers(x)


class MobileNetV2(nn.Module):
    """Inverted residuals with ReLU6; the mean over the image is written as one."""

    def __init__(self, blocks=((8, 1, 1), (12, 2, 4), (12, 1, 4), (16, 2, 4), (16, 1, 4), (24, 2, 4), (24, 1, 4))):
        super().__init__()
        layers, cin = [convolution(3, 8, activation=nn.ReLU6)], 8
        for cout, stride, expansion in blocks:
            layers.append(InvertedResidual(cin, cout, stride, expansion))
            cin = cout
        self.features = nn.Sequential(*layers, convolution(cin, 64, 1, activation=nn.ReLU6))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(64, 10))

    def forward(self, x):
        return self.classifier(self.features(x).mean([2, 3]))


class BasicBlock(nn.Module):
    def __init__(self, cin: int, cout: int, stride: int):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False), nn.BatchNorm2d(cout)
        self.conv2, self.bn2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False), nn.BatchNorm2d(cout)
        self.relu = nn.ReLU()
        self.downsample = convolution(cin, cout, 1, stride) if stride != 1 or cin != cout else None

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """A large-image ResNet in small: max pooling behind the stem, and a classifier behind a flatten of whole maps."""

    def __init__(self, widths=((8, 1), (8, 1), (16, 2), (16, 1), (24, 2))):
        super().__init__()
        self.stem, self.pool = convolution(3, 8, 3, 1, activation=nn.ReLU), nn.MaxPool2d(3, 2, 1)
        blocks, cin = [], 8
        for cout, stride in widths:
            blocks.append(BasicBlock(cin, cout, stride))
            cin = cout
        self.blocks, self.mean = nn.Sequential(*blocks), nn.AvgPool2d(2)
        self.fc = nn.Linear(cin * 2 * 2, 10)

    def forward(self, x):
        return self.fc(torch.flatten(self.mean(self.blocks(self.pool(self.stem(x)))), 1))


NETWORKS = {"mobilenet_v1": MobileNetV1, "mobilenet_v2": MobileNetV2, "resnet": ResNet}


def lived_in(network: nn.Module) -> nn.Module:
    """The network with a history: γ and β of some size, running statistics of batches that it saw."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.3, 0.5)
        network.train()
        for _ in range(20):
            network(torch.randn(16, 3, SIZE, SIZE) + 0.2)
    return network.eval()


def export(network: nn.Module, path: Path, example: torch.Tensor, folded: bool) -> None:
    mode = torch.onnx.TrainingMode.EVAL if folded else torch.onnx.TrainingMode.PRESERVE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter without torch.compile is called old
        torch.onnx.export(
            network, (example,), str(path), dynamo=False, training=mode, do_constant_folding=folded,
            input_names=["images"], output_names=["logits"], dynamic_axes={"images": {0: "n"}, "logits": {0: "n"}},
            opset_version=17,
        )  # fmt: skip


def main() -> None:
    torch.manual_seed(0)
    FOLDER.mkdir(exist_ok=True)
    images = torch.randn(IMAGES, 3, SIZE, SIZE)
    stored = {"images": images.numpy()}
    for name, make in NETWORKS.items():
        network = lived_in(make())
        export(network, FOLDER / f"{name}.onnx", images[:1], folded=False)
        with torch.no_grad():
            stored[name] = network(images).numpy()
        if name == "mobilenet_v2":
            export(network, FOLDER / f"{name}_folded.onnx", images[:1], folded=True)
            stored[f"{name}_folded"] = stored[name]
    np.savez(FOLDER / "logits.npz", **stored)


if __name__ == "__main__":
    main()
