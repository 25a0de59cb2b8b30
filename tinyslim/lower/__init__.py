"""Lowering: a traced network becomes a Program, batch norm folded and, if it was prepared, all sums in integers."""

from .freezing import freeze
from .to_int8 import integer_layer

__all__ = ["freeze", "integer_layer"]
