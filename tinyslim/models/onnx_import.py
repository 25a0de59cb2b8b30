"""Networks that were made elsewhere, as networks of ours."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np

from tinyslim.autograd import Tensor
from tinyslim.deploy.onnx_graph import MissingPackage
from tinyslim.graph import GraphModule, place, to_module, trace
from tinyslim.nn import Module

from . import onnx_functions, onnx_layers, onnx_quantizers
from .onnx_layout import Value
from .onnx_naming import Paths
from .onnx_reading import OnnxFile, OnnxNode, read_onnx
from .onnx_step import Step

#: What each operator does with results that are computed from the image.
OPERATORS: dict[str, Callable[[Step], Value]] = {
    "Add": onnx_functions.add,
    "AveragePool": onnx_functions.average_pool,
    "BatchNormalization": onnx_layers.batch_normalization,
    "Clip": onnx_functions.clip,
    "Concat": onnx_functions.concat,
    "Conv": onnx_layers.convolution,
    "DequantizeLinear": onnx_quantizers.dequantize,
    "Dropout": onnx_layers.dropout,
    "Flatten": onnx_functions.flatten,
    "Gather": onnx_functions.gather,
    "Gemm": onnx_layers.gemm,
    "GlobalAveragePool": onnx_functions.global_average_pool,
    "Identity": onnx_functions.identity,
    "MatMul": onnx_layers.matrix_product,
    "MaxPool": onnx_functions.max_pool,
    "Mul": onnx_functions.multiply,
    "Pad": onnx_functions.pad,
    "QuantizeLinear": onnx_quantizers.quantize,
    "ReduceMean": onnx_functions.reduce_mean,
    "Relu": onnx_functions.relu,
    "Reshape": onnx_functions.reshape,
    "Sigmoid": onnx_functions.sigmoid,
    "Softmax": onnx_functions.softmax,
}
#: What operators do with constants: the result is one too.
ON_CONSTANTS: dict[str, Callable[[Step], np.ndarray]] = {
    "Constant": onnx_quantizers.constant,
    "DequantizeLinear": onnx_quantizers.dequantized_constant,
    "Identity": onnx_quantizers.same_constant,
    "QuantizeLinear": onnx_quantizers.quantized_constant,
}
#: What a damaged file's numbers may make a rule raise.
_FAULTS = (ValueError, TypeError, IndexError, KeyError, OverflowError, ZeroDivisionError, MemoryError)


def from_onnx(path) -> GraphModule:
    """A network from an ONNX file, to be trained, pruned, distilled, quantised and frozen like our own.

    It takes images (n, h, w, c) with any n and of the file's size, and gives what the file's network does; an output
    that is an image comes as (n, h, w, c) too. Layers have the names that they had in PyTorch, where the file tells
    them. `preprocessing` is set if `deploy.export_onnx` wrote the file; otherwise set it to the (mean, std) that
    the network was trained with before uint8 images are given to it.

    Operators read, of opset 11 to 22: Add, AveragePool, BatchNormalization (which goes on normalising in training),
    Clip, Concat, Constant, Conv (dense and depthwise), DequantizeLinear, Dropout, Flatten, Gather (of all features,
    in a new order), Gemm, GlobalAveragePool, Identity, MatMul, MaxPool, Mul, Pad (zeros), QuantizeLinear,
    ReduceMean, Relu, Reshape (as a flatten), Sigmoid and Softmax. A layer that is called twice comes in as two.

    A quantised file (QDQ) comes in as real numbers: weights as its integers stand for, activations without rounding but
    clipped where its bytes end. Train or calibrate a net from `quant.prepare`, and it finds the same integers again.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    GraphModule
        In eval mode, float32.

    Raises
    ------
    FileNotFoundError
    ValueError
        Names each operator that is not read with its node, or what of the file can't be; also when the package `onnx`
        is missing.

    Examples
    --------
    A network from elsewhere (here one of ours, as ONNX) loses half of its work and becomes int8:

    >>> import os, tempfile
    >>> import numpy as np
    >>> import tinyslim
    >>> from tinyslim import deploy, models, no_grad, prune, quant
    >>> path, images = os.path.join(tempfile.mkdtemp(), "net.onnx"), np.zeros((8, 16, 16, 3), np.float32)
    >>> deploy.export_onnx(tinyslim.freeze(models.mobilenet_v1(10, width=0.25), images), path)
    >>> model = prune.uniform(models.from_onnx(path), images, target_flops=0.5)
    >>> prepared = quant.prepare(model, images).train()
    >>> with no_grad():  # in earnest: train.fit on images of your own
    ...     logits = prepared(images)
    >>> program = tinyslim.freeze(prepared.eval(), images)
    >>> program.kind, program.run(images).shape
    ('int8', (8, 10))
    """
    try:
        file = read_onnx(path)
        network = OnnxNetwork(file)
        network.preprocessing = _preprocessing(file)
        height_last = file.shape[1:] + file.shape[:1]
        with np.errstate(all="ignore"):
            return to_module(trace(network, np.zeros((1, *height_last), np.float32))).eval()
    except (MissingPackage, FileNotFoundError):
        raise
    except ValueError as error:
        raise ValueError(f"{str(path)!r} can't be read: {error}") from None


class OnnxNetwork(Module):
    """A network that makes its layers while it runs for the first time, in the order of a file's nodes.

    Attributes
    ----------
    values : dict
        What was computed from the image, by name.
    constants : dict
        Arrays by name.
    """

    def __init__(self, file: OnnxFile):
        unknown = [node for node in file.nodes if node.operator not in OPERATORS.keys() | ON_CONSTANTS.keys()]
        if unknown:
            raise ValueError(f"these operators are not known here: {'; '.join(map(str, unknown[:10]))}")
        self.file, self.constants, self.values = file, dict(file.constants), {}
        self.readers: dict[str, list[OnnxNode]] = {}
        self.aliases: dict[str, str] = {}
        self.paths = Paths({*dir(GraphModule), *dir(self), "graph", "paths", "quantizers"})
        for node in file.nodes:
            for name in set(node.inputs):
                self.readers.setdefault(name, []).append(node)

    def forward(self, x: Tensor) -> Tensor:
        self.values[self.file.input] = Value(x)
        computed = [node for node in self.file.nodes if not self._fold(node)]
        for node in computed:
            result = node.outputs[0]
            same = self.aliases.get(result)
            self.values[result] = self.values[same] if same else _carried_out(OPERATORS, self, node)
        if self.file.output not in self.values:
            raise ValueError(f"its output {self.file.output!r} does not depend on its input")
        return self.values[self.file.output].in_onnx_order().tensor

    def _fold(self, node: OnnxNode) -> bool:
        """Whether a node computes with constants alone; then its result is one."""
        if node.operator not in ON_CONSTANTS or not all(name in self.constants for name in node.inputs if name):
            return False
        self.constants[node.outputs[0]] = _carried_out(ON_CONSTANTS, self, node)
        return True

    def users(self, name: str) -> list[OnnxNode]:
        """The nodes that take the result called `name`."""
        return self.readers.get(name, [])

    def skip(self, node: OnnxNode, result: str) -> None:
        """Let `node` be done: what it would give is the result of the node that runs just now, called `result`."""
        self.aliases[node.outputs[0]] = result

    def add(self, part: Module | Tensor, wish: str) -> None:
        """Let a layer or an array belong to the network, under a free name near to `wish`."""
        place(self, self.paths.free(wish), part)


def _carried_out(table: dict, network: OnnxNetwork, node: OnnxNode):
    """What the rule for a node gives; its errors name the node."""
    try:
        return table[node.operator](Step(network, node))
    except _FAULTS as error:
        raise ValueError(f"{node}: {error}") from None


def _preprocessing(file: OnnxFile) -> tuple | None:
    """(mean, std) if the file's metadata hold them as `export_onnx` writes them."""
    texts = [file.metadata.get(f"tinyslim.{name}") for name in ("mean", "std")]
    if None in texts:
        return None
    try:
        mean, std = (tuple(float(number) for number in json.loads(text)) for text in texts)
    except (ValueError, TypeError) as error:
        raise ValueError(f"its metadata `tinyslim.mean` and `tinyslim.std` are no lists of numbers: {error}") from None
    if len(mean) != file.shape[0] or len(std) != file.shape[0] or not min(std) > 0:
        raise ValueError(f"its metadata hold the mean {mean} and the std {std}; expected {file.shape[0]} each")
    return mean, std
