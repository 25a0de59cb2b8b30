"""Small ONNX files for the tests, and what ONNX Runtime makes of them."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


class Net:
    """Nodes in a row; each takes the result of the one before, unless told otherwise."""

    def __init__(self, shape=(3, 9, 7), opset: int = 17, seed: int = 0):
        self.rng = np.random.default_rng(seed)
        self.shape, self.opset, self.last = shape, opset, "images"
        self.nodes, self.arrays = [], {}

    def array(self, value, name: str | None = None) -> str:
        """Store an initialiser; returns its name."""
        name = name or f"array{len(self.arrays)}"
        self.arrays[name] = np.asarray(value)
        return name

    def normal(self, *shape: int) -> str:
        return self.array(self.rng.standard_normal(shape).astype(np.float32))

    def add(self, operator: str, *inputs: str, results: int = 1, **attributes) -> str:
        name = f"{operator.lower()}{len(self.nodes)}"
        outputs = [name, *(f"{name}_{number}" for number in range(1, results))]
        self.nodes.append(helper.make_node(operator, list(inputs), outputs, f"node {name}", **attributes))
        self.last = name
        return name

    def then(self, operator: str, *inputs: str, **attributes) -> str:
        """`add`, with the last result as the first input."""
        return self.add(operator, self.last, *inputs, **attributes)

    def conv(self, cin: int, cout: int, size: int = 3, group: int = 1, bias: bool = True, **attributes) -> str:
        scale = np.float32(1 / np.sqrt(cin // group * size * size))
        weight = self.rng.standard_normal((cout, cin // group, size, size)).astype(np.float32) * scale
        return self.then("Conv", self.array(weight), *([self.normal(cout)] if bias else []), group=group, **attributes)

    def norm(self, channels: int, **attributes) -> str:
        scale, var = (self.array(self.rng.uniform(0.5, 1.5, channels).astype(np.float32)) for _ in range(2))
        return self.then("BatchNormalization", scale, self.normal(channels), self.normal(channels), var, **attributes)

    def model(self, dims=None, kind: int = TensorProto.FLOAT, outputs=None) -> onnx.ModelProto:
        images = helper.make_tensor_value_info("images", kind, dims or ("n", *self.shape))
        results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs or [self.last]]
        arrays = [numpy_helper.from_array(array, name) for name, array in self.arrays.items()]
        graph = helper.make_graph(self.nodes, "net", [images], results, arrays)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)

    def save(self, path, **settings):
        path.write_bytes(self.model(**settings).SerializeToString())
        return path

    def images(self, count: int = 2) -> np.ndarray:
        """Images as ONNX counts them."""
        return np.random.default_rng(1).standard_normal((count, *self.shape)).astype(np.float32)


def in_our_layout(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if array.ndim == 4 else array


def run_elsewhere(path, images: np.ndarray) -> np.ndarray:
    """What ONNX Runtime gives, without the changes that it makes for speed."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: images})[0]
