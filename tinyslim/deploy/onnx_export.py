"""A Program as an ONNX file, for other runtimes."""

from __future__ import annotations

import json

from tinyslim.files import write_atomically

from .onnx_graph import INPUT, GraphWriter, Value
from .onnx_operators import write_real
from .onnx_quantized import QuantizedWriter


def export_onnx(program, path) -> None:
    """Write `program` to an ONNX file, opset 17.

    The graph takes ``images``, float32 (n, c, h, w) with any n, and gives ``logits``, float32 (n, classes). Images are
    normalised as the program's are: (pixels / 255 − mean) / std; the file's metadata hold ``tinyslim.mean``,
    ``tinyslim.std`` and ``tinyslim.classes`` as JSON lists.

    A float32 Program becomes float32 operators. An int8 Program becomes the same operators between QuantizeLinear and
    DequantizeLinear: uint8 activations with one scale and zero point, int8 weights with a scale for each output
    channel, int32 biases in steps of S_x·S_w. Its integers are the program's, but for the fractions of biases; and a
    runtime multiplies sums by a float32 factor where the program has a fixed-point one, so now and then a byte is
    another by one. Where a fraction counts for more than 1/32 of an output's step, an Add of real numbers follows the
    layer. A mixed Program has operators of either kind.

    Parameters
    ----------
    program : Program
    path : str or Path
        The file is written whole or not at all.

    Raises
    ------
    ValueError
        If the package `onnx` is missing.
    """
    contents = onnx_bytes(program)
    write_atomically(path, lambda file: file.write(contents))


def onnx_bytes(program, batch: int | None = None) -> bytes:
    """The file that `export_onnx` writes, checked by `onnx.checker`.

    Parameters
    ----------
    program : Program
    batch : int, optional
        A fixed number of images; None leaves it open.
    """
    graph = GraphWriter()
    last = write_float(graph, program) if program.kind == "float32" else QuantizedWriter(graph, program).write()
    model = graph.model(program, last, batch)
    graph.onnx.helper.set_model_props(model, metadata(program))
    graph.onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def write_float(graph: GraphWriter, program) -> Value:
    """Append the ops of a float32 Program; returns the value of the last."""
    values = [Value(INPUT)]
    for op in program.ops:
        inputs, shapes = ([of[value] for value in op.inputs] for of in (values, [s.shape for s in program.specs]))
        values.append(write_real(graph, op, op.kind, inputs, shapes))
    return values[-1]


def metadata(program) -> dict[str, str]:
    """What a user of the file must know beside its graph: how images are normalised, and the classes' names."""
    facts = {"classes": program.classes}
    facts |= dict(zip(("mean", "std"), program.preprocessing or (), strict=False))
    return {f"tinyslim.{name}": json.dumps(fact) for name, fact in facts.items() if fact is not None}
