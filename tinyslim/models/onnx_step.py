"""One node of a file while it is carried out: its inputs and attributes, checked, and the network that grows."""

from __future__ import annotations

import numpy as np

from tinyslim.autograd import Tensor
from tinyslim.nn import Layer

from .onnx_layout import Value
from .onnx_naming import layer_wish
from .onnx_reading import OnnxNode


class Step:
    """What an operator's rule sees.

    Parameters
    ----------
    network : OnnxNetwork
    node : OnnxNode
    """

    def __init__(self, network, node: OnnxNode):
        self.network, self.node = network, node
        self.opset = network.file.opset

    # Inputs.

    def has(self, position: int) -> bool:
        """Whether the input is given: ONNX writes one that is left out as an empty name."""
        return position < len(self.node.inputs) and self.node.inputs[position] != ""

    def is_constant(self, position: int) -> bool:
        return self.has(position) and self.node.inputs[position] in self.network.constants

    def value(self, position: int = 0) -> Value:
        """An input that is computed from the image."""
        name = self.node.inputs[position] if self.has(position) else None
        if name not in self.network.values:
            known = "a constant" if self.is_constant(position) else "not the result that is read of its node"
            raise ValueError(f"takes {name!r} as input {position}, which is {known}; expected a computed value")
        return self.network.values[name]

    def array(self, position: int, what: str, required: bool = True) -> np.ndarray | None:
        """An input that is a constant; None if it is left out."""
        if not self.has(position) and not required:
            return None
        if not self.is_constant(position):
            raise ValueError(f"takes a computed {what}; expected an initialiser or a constant")
        return self.network.constants[self.node.inputs[position]]

    def reals(self, position: int, what: str, required: bool = True) -> np.ndarray | None:
        """A constant input as float32, writable and our own."""
        found = self.array(position, what, required)
        if found is None:
            return None
        if found.dtype.kind != "f":
            raise ValueError(f"has a {what} of {found.dtype}; expected real numbers")
        return np.array(found, np.float32, order="C")

    # Attributes.

    def integer(self, name: str, default: int) -> int:
        return self._attribute(name, default, int)

    def number(self, name: str, default: float) -> float:
        return float(self._attribute(name, default, (int, float)))

    def text(self, name: str, default: str) -> str:
        return self._attribute(name, default, str)

    def integers(self, name: str, default: list[int] | None) -> list[int]:
        found = self._attribute(name, default, list)
        if found is not None and not all(isinstance(item, int) for item in found):
            raise ValueError(f"has `{name}` (={found!r:.80}); expected whole numbers")
        return found

    def _attribute(self, name: str, default, kind):
        found = self.node.attributes.get(name, default)
        if not isinstance(found, kind) and found is not default:
            raise ValueError(f"has `{name}` (={found!r:.80}), which is of another type than ONNX says")
        return found

    # What grows.

    def layer(self, kind: type[Layer], settings: dict, parameters: dict, buffers: dict | None = None) -> Layer:
        """A new layer of the network, with these arrays."""
        buffers, parameters = buffers or {}, {name: array for name, array in parameters.items() if array is not None}
        arrays = {name: _finite(name, array) for name, array in (parameters | buffers).items()}
        config = {"settings": settings, "parameters": list(parameters), "buffers": list(buffers)}
        return self.keep(kind.from_config(config, arrays))

    def keep(self, layer: Layer) -> Layer:
        """Let the network have a layer."""
        self.network.add(layer.eval(), layer_wish(self.node))
        return layer

    def parameter(self, position: int, array: np.ndarray) -> Tensor:
        """A new array that is trained and belongs to no layer."""
        name = self.node.inputs[position]
        tensor = Tensor(_finite(name, array), requires_grad=True)
        self.network.add(tensor, name)
        return tensor

    def bias_behind(self, width: int, rank: int) -> np.ndarray | None:
        """The constant that an Add behind this node gives each of `width` channels, if nobody else takes the result.

        The Add is then done: its result is this node's. Whoever writes a linear layer as MatMul writes its bias so.
        """
        result, axis = self.node.outputs[0], -1 if rank == 2 else -3
        users = self.network.users(result)
        if len(users) != 1 or users[0].operator != "Add" or result == self.network.file.output:
            return None
        found = next((self.network.constants.get(name) for name in users[0].inputs if name != result), None)
        if found is None or found.dtype.kind != "f" or found.size != width or not -axis <= found.ndim <= rank:
            return None
        if found.shape[axis] != width:
            return None
        self.network.skip(users[0], result)
        return found.reshape(width)


def _finite(name: str, array: np.ndarray) -> np.ndarray:
    """An array of our own, float32; NaN and infinities are refused."""
    if not np.isfinite(array).all():
        raise ValueError(f"has a {name} that is not finite everywhere")
    return np.array(array, np.float32, order="C")
