"""An ONNX graph under construction: nodes and constants, each under a name of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: The version of ONNX's operators that files are written in: the first ones whose QuantizeLinear takes a scale a
#: channel and whose ReduceMean has its axes as an attribute are 13 to 17, and runtimes since mid-2022 read 17.
OPSET, IR_VERSION = 17, 8
INPUT, OUTPUT = "images", "logits"


class MissingPackage(ImportError, ValueError):
    """A package that only some functions need is not installed."""


def onnx_package():
    """The package `onnx`, which is imported only when a file of its kind is read or written.

    Raises
    ------
    MissingPackage
    """
    try:
        import onnx
    except ImportError:
        raise MissingPackage("ONNX files need a package that is missing: pip install 'tinyslim[onnx]'") from None
    return onnx


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of the graph.

    Attributes
    ----------
    name : str
    order : int array, optional
        Of a vector: which of our features each of ONNX's is, where that is another order. A flatten makes one, since
        ONNX counts (c, h, w) and a Program (h, w, c).
    """

    name: str
    order: np.ndarray | None = None


class GraphWriter:
    """Collects nodes and constants; every name is given once."""

    def __init__(self):
        self.onnx = onnx_package()
        self.nodes, self.constants = [], []
        self._names = {INPUT, OUTPUT}

    def unique(self, wish: str) -> str:
        """`wish`, with a number behind it if the name is taken."""
        name, count = wish, 1
        while name in self._names:
            name, count = f"{wish}_{count}", count + 1
        self._names.add(name)
        return name

    def node(self, operator: str, inputs: list[str], wish: str, **attributes) -> str:
        """Append a node; returns the name that it shares with its result."""
        name = self.unique(wish)
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def constant(self, wish: str, array: np.ndarray) -> str:
        """Store an array; returns its name."""
        name = self.unique(wish)
        # A scalar must stay one, which ascontiguousarray would not let it.
        self.constants.append(self.onnx.numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def in_our_order(self, value: Value) -> Value:
        """A vector whose features stand as a Program has them."""
        if value.order is None:
            return value
        places = self.constant(f"{value.name}.places", np.argsort(value.order))
        return Value(self.node("Gather", [value.name, places], f"{value.name}.sorted", axis=1))

    def model(self, program, last: Value, batch: int | None = None):
        """The whole as an onnx.ModelProto, whose logits are `last`."""
        helper, real = self.onnx.helper, self.onnx.TensorProto.FLOAT
        if not self.nodes or self.in_our_order(last).name not in self.nodes[-1].output:
            self.node("Identity", [last.name], "identity")
        self.nodes[-1].output[0] = OUTPUT
        height, width, channels = program.input_shape
        count = "n" if batch is None else batch
        images = helper.make_tensor_value_info(INPUT, real, (count, channels, height, width))
        logits = helper.make_tensor_value_info(OUTPUT, real, (count, program.specs[-1].shape[0]))
        graph = helper.make_graph(self.nodes, f"tinyslim {program.kind}", [images], [logits], self.constants)
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="tinyslim")
