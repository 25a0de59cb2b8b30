"""An ONNX file as plain data: its nodes, its arrays, what goes in and out. Nothing in the file is trusted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyslim.deploy.onnx_graph import onnx_package

#: The versions of ONNX's operators whose differences are known here.
OPSETS = range(11, 23)
#: Types of inputs that are taken as float32.
REALS = ("FLOAT", "FLOAT16", "DOUBLE")
#: Numbers that one value may have for one image: a file may claim any size, and must not be believed.
LARGEST_VALUE = 1 << 27


@dataclass(frozen=True, eq=False)
class OnnxNode:
    """A node of the file; its attributes are numbers, strings, lists and arrays."""

    operator: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict

    def __str__(self) -> str:
        return f"the node {self.name!r} ({self.operator})"


@dataclass(frozen=True, eq=False)
class OnnxFile:
    """What a file holds.

    Attributes
    ----------
    nodes : list of OnnxNode
        Those that the output needs, in an order in which each follows its inputs.
    constants : dict
        Their initialisers by name.
    input, output : str
    shape : tuple of int
        Of the input, without the batch: (c, h, w) or (features,).
    opset : int
    metadata : dict
        Strings by name.
    """

    nodes: list[OnnxNode]
    constants: dict[str, np.ndarray]
    input: str
    output: str
    shape: tuple[int, ...]
    opset: int
    metadata: dict[str, str]


def read_onnx(path) -> OnnxFile:
    """Read and check a file.

    Raises
    ------
    FileNotFoundError
    ValueError
        When it is not a whole ONNX file of one input and one output, or its nodes don't follow from each other.
    MissingPackage
    """
    onnx, path = onnx_package(), Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    model = _parse(onnx, path)
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    (source,) = _only("input", [value for value in graph.input if value.name not in stored])
    (result,) = _only("output", graph.output)
    nodes = _needed([_node(onnx, node, number) for number, node in enumerate(graph.node)], result.name)
    _check_order(nodes, {source.name, *stored}, result.name)
    wanted = {name for node in nodes for name in node.inputs}
    constants = {name: _array(onnx, tensor, path.parent) for name, tensor in stored.items() if name in wanted}
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    return OnnxFile(nodes, constants, source.name, result.name, _shape(onnx, source), _opset(model), metadata)


def _parse(onnx, path: Path):
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except (DecodeError, OSError) as error:
        raise ValueError(f"it is not a whole ONNX file: {error}") from None
    if not model.graph.node:
        raise ValueError("it is not an ONNX file: it holds no node")
    return model


def _only(role: str, values) -> list:
    if len(values) != 1:
        names = ", ".join(repr(value.name) for value in values) or "none"
        raise ValueError(f"it has the {role}s {names}; expected one {role}")
    return list(values)


def _opset(model) -> int:
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if len(versions) != 1 or versions[0] not in OPSETS:
        told = ", ".join(map(str, versions)) or "none"
        raise ValueError(f"it has opset {told}; {OPSETS.start} to {OPSETS.stop - 1} are read")
    return versions[0]


def _shape(onnx, source) -> tuple[int, ...]:
    """The input's shape without the batch; everything but the batch must be a number."""
    kind = source.type.tensor_type
    if onnx.TensorProto.DataType.Name(kind.elem_type) not in REALS:
        raise ValueError(
            f"its input {source.name!r} is {onnx.TensorProto.DataType.Name(kind.elem_type)}; expected one of "
            f"{', '.join(REALS)}"
        )
    sizes = [dim.dim_value or dim.dim_param or "?" for dim in kind.shape.dim]
    if len(sizes) not in (2, 4):
        raise ValueError(f"its input {source.name!r} has the shape {sizes}; expected (n, c, h, w) or (n, features)")
    if not all(isinstance(size, int) and size > 0 for size in sizes[1:]):
        raise ValueError(
            f"its input {source.name!r} has the shape {sizes}: only the batch may be open; export it with a fixed size"
        )
    check_count(f"its input {source.name!r}", sizes[1:])
    return tuple(sizes[1:])


def check_count(what: str, shape) -> None:
    """Refuse a value that is too large to be meant, before it is computed."""
    count = 1
    for size in shape:
        count *= int(size)
    if count > LARGEST_VALUE:
        raise ValueError(f"{what} has the shape {tuple(shape)}: more than {LARGEST_VALUE:,} numbers an image")


def _node(onnx, node, number: int) -> OnnxNode:
    name = node.name or f"{node.op_type}_{number}"
    operator = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
    attributes = {attribute.name: _plain(onnx, attribute) for attribute in node.attribute}
    return OnnxNode(operator, name, tuple(node.input), tuple(node.output), attributes)


def _plain(onnx, attribute):
    """The value of an attribute; subgraphs stay as they are, since no operator that is read here has one."""
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, onnx.TensorProto):
        return _array(onnx, value, None)
    if isinstance(value, int | float):
        return value
    return list(value) if attribute.ints or attribute.floats else value


def _array(onnx, tensor, folder: Path | None) -> np.ndarray:
    """The numbers of a tensor, from the file or from the one beside it."""
    name = tensor.name or "of an attribute"
    try:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            if folder is None:
                raise ValueError("an attribute can't lie in another file")
            onnx.external_data_helper.load_external_data_for_tensor(tensor, str(folder))
        return onnx.numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError, OSError, OverflowError, onnx.checker.ValidationError) as error:
        raise ValueError(f"the initialiser {name!r} can't be read: {error}") from None


def _needed(nodes: list[OnnxNode], output: str) -> list[OnnxNode]:
    """The nodes that `output` is computed from, in the file's order."""
    maker = {}
    for node in nodes:
        for name in filter(None, node.outputs):
            if name in maker:
                raise ValueError(f"{node} and {maker[name]} both give {name!r}")
            maker[name] = node
    found, waiting = set(), [output]
    while waiting:
        node = maker.get(waiting.pop())
        if node is not None and node not in found:
            found.add(node)
            waiting += node.inputs
    return [node for node in nodes if node in found]


def _check_order(nodes: list[OnnxNode], given: set[str], output: str) -> None:
    """Each node takes what is there before it: this refuses missing arrays and cycles alike."""
    known = set(given)
    for node, name in _uses(nodes):
        if node is None:
            known.add(name)
        elif name not in known:
            raise ValueError(
                f"{node} takes {name!r}, which no initialiser holds and no node before it gives: it is missing, or "
                "the nodes go round in a cycle"
            )
    if output not in known:
        raise ValueError(f"no node gives the output {output!r}")


def _uses(nodes: list[OnnxNode]) -> Iterator[tuple[OnnxNode | None, str]]:
    """In order: (node, a name that it takes), and (None, a name that is known from here on)."""
    for node in nodes:
        yield from ((node, name) for name in node.inputs if name)
        yield from ((None, name) for name in node.outputs if name)
