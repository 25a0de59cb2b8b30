"""Reverse-mode differentiation: operations on tensors, and the pass that adds up their gradients."""

from .tensor import Tensor  # isort: skip  (first: the operations below need it)

from .backward_pass import backward
from .gradient_check import GradientMismatchError, gradcheck
from .operations import OPERATIONS, each, operation
from .tape import Recording, inside, no_grad, record, recording, scope

__all__ = [
    "OPERATIONS",
    "GradientMismatchError",
    "Recording",
    "Tensor",
    "backward",
    "each",
    "gradcheck",
    "inside",
    "no_grad",
    "operation",
    "record",
    "recording",
    "scope",
]
