"""A float32 Program as an ONNX graph, and as ONNX Runtime quantises it."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from .peers import Peers


def session(peers: Peers, model, optimized: str = ""):
    """A session of ONNX Runtime on as many threads as all others; `model` is a path or bytes."""
    options = peers.onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = peers.threads, 1
    options.log_severity_level = 3
    options.optimized_model_filepath = optimized
    return peers.onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def to_onnx(program, batch: int) -> bytes:
    """The ONNX graph of a float32 Program for a fixed batch, images (n, c, h, w)."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, names = [], [], {0: "images"}

    def node(kind: str, inputs: list[str], position: int, last: bool, **attributes) -> str:
        name = f"{kind.lower()}_{position}" if not last or position + 1 < len(program.ops) else "logits"
        nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(name: str, value: np.ndarray) -> str:
        weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    for position, op in enumerate(program.ops):
        names[position + 1] = _emit(op, [names[value] for value in op.inputs], position, node, constant)
    height, width, channels = program.input_shape
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, (batch, channels, height, width))
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, (batch, program.specs[-1].shape[0]))
    graph = helper.make_graph(nodes, "program", [images], [logits], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def _emit(op, inputs: list[str], position: int, node, constant) -> str:
    """Append the nodes of one op; returns the name of its value."""
    fused = op.attributes.get("low") == 0.0 and op.attributes.get("high") is None
    if op.kind in ("conv2d", "depthwise_conv2d"):
        weight = op.arrays["weight"] if op.kind == "conv2d" else op.arrays["weight"][:, :, None]
        filters = constant(f"weight_{position}", weight.transpose(3, 2, 0, 1))
        top, bottom, left, right = op.attributes["padding"]
        place = {"strides": [op.attributes["stride"]] * 2, "pads": [top, left, bottom, right]}
        place["group"] = 1 if op.kind == "conv2d" else weight.shape[3]
        arguments = [*inputs, filters, constant(f"bias_{position}", op.arrays["bias"])]
        name = node("Conv", arguments, position, not fused, kernel_shape=weight.shape[:2], **place)
    elif op.kind == "linear":
        arguments = [*inputs, constant(f"weight_{position}", op.arrays["weight"])]
        name = node("Gemm", [*arguments, constant(f"bias_{position}", op.arrays["bias"])], position, not fused)
    elif op.kind == "global_avg_pool2d":
        pooled = node("GlobalAveragePool", inputs, position, False)
        return node("Flatten", [pooled], position, True)
    else:
        raise ValueError(f"op {op.name!r} ({op.kind}) has no counterpart in ONNX here")
    return node("Relu", [name], position, True) if fused else name


def quantized(peers: Peers, model: bytes, calibration: np.ndarray, activations: str) -> tuple[object, dict[str, int]]:
    """A session of the network quantised by ONNX Runtime's own tools, and how often each operator occurs in it.

    Static quantisation as its manual recommends: shape inference and optimisation first, without which most
    convolutions stay in float32; QDQ nodes; int8 weights with a scale a channel.

    Parameters
    ----------
    peers : Peers
    model : bytes
    calibration : float32 array (n, c, h, w)
        One batch.
    activations : {"QUInt8", "QInt8"}
    """
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class OneBatch(quantization.CalibrationDataReader):
        batches = iter([{"images": calibration}])

        def get_next(self):
            return next(self.batches, None)

    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder, f"{name}.onnx")) for name in ("float", "prepared", "int8", "optimized")]
        Path(paths[0]).write_bytes(model)
        quant_pre_process(*paths[:2], skip_symbolic_shape=True)
        quantization.quantize_static(
            *paths[1:3], OneBatch(), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
            activation_type=quantization.QuantType[activations], weight_type=quantization.QuantType.QInt8,
        )  # fmt: skip
        run = session(peers, paths[2], paths[3])
        return run, operators(paths[3])


def operators(path: str) -> dict[str, int]:
    """How often each operator occurs in a graph."""
    import onnx

    return dict(Counter(node.op_type for node in onnx.load(path).graph.node))
