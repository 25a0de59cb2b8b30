"""Lets the tests of this folder import `onnx_files`, the small ONNX files beside them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
