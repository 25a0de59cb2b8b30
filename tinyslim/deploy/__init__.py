"""deploy: Programs of ops that run, float32, int8 or both, without any training code; their file, their time."""

from .float_ops import FLOAT_OPS
from .int8_ops import INT8_OPS
from .layer_timing import OpTime, latency_by_op
from .multipliers import add_multipliers, multiplier
from .onnx_export import export_onnx, onnx_bytes
from .onnx_graph import MissingPackage, onnx_package
from .ops import OPS, Op, in_float32
from .program import Builder, Program, load, reference_run
from .timing import Latency, latency
