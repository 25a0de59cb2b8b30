"""An op of a Program, and the checks that a list of them is one that can run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .float_ops import FLOAT_OPS
from .int8_ops import INT8_OPS
from .kinds import OpKind, Spec, check_arrays, check_attributes


def in_float32(kind: str) -> str:
    """What a mixed program calls an op of `FLOAT_OPS`: there are bytes by the same name beside it."""
    return f"{kind}_float32"


#: The op kinds of each kind of program. A mixed one has both sides, and `quantize` and `dequantize` between them.
OPS: dict[str, dict[str, OpKind]] = {
    "float32": FLOAT_OPS,
    "int8": INT8_OPS,
    "mixed": INT8_OPS | {in_float32(name): kind for name, kind in FLOAT_OPS.items()},
}


@dataclass(frozen=True, eq=False)
class Op:
    """One step of a Program.

    Parameters
    ----------
    kind : str
        A key of `FLOAT_OPS` or `INT8_OPS`; in a mixed program, one of `OPS["mixed"]`.
    name : str
        Where it comes from, such as the path of a module.
    inputs : sequence of int
        The values that it reads: 0 is the program's input, and i + 1 the result of op i.
    attributes : dict
        Numbers and tuples of numbers; those left out take the kind's defaults.
    arrays : dict of str to ndarray
        Weights and the constants of channels.
    """

    kind: str
    name: str
    inputs: Sequence[int]
    attributes: dict = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def check_ops(kind: str, input_shape, ops: Sequence[Op]) -> tuple[tuple[Op, ...], tuple[Spec, ...]]:
    """The ops with complete attributes and arrays of their own, and the types of all values."""
    if kind == "int8" and [i for i, op in enumerate(ops) if op.kind == "quantize"] != [0]:
        raise ValueError("an int8 program must begin with its one op `quantize`")
    specs, complete = [Spec(input_shape, "float32")], []
    for position, op in enumerate(ops):
        try:
            checked, spec = check_op(kind, op, specs)
        except ValueError as error:
            raise ValueError(f"op {position} {op.name!r} ({op.kind}): {error}") from None
        complete.append(checked)
        specs.append(spec)
    if len(specs) == 1 or specs[-1].dtype != "float32" or len(specs[-1].shape) != 1:
        raise ValueError(f"the last op must give float32 logits (classes,), not {specs[-1].dtype} {specs[-1].shape}")
    return tuple(complete), tuple(specs)


def check_op(kind: str, op: Op, specs: list[Spec]) -> tuple[Op, Spec]:
    """One op in full, and the type of its value."""
    if op.kind not in OPS[kind]:
        raise ValueError(f"no op of {kind} programs is called that; there are {', '.join(OPS[kind])}")
    op_kind = OPS[kind][op.kind]
    inputs = tuple(op.inputs)
    if not all(isinstance(value, int) and 0 <= value < len(specs) for value in inputs) or not inputs:
        raise ValueError(f"`inputs` (={inputs}) must be values from 0 to {len(specs) - 1}")
    if op_kind.input_count not in (None, len(inputs)):
        raise ValueError(f"`inputs` (={inputs}) must be {op_kind.input_count}")
    wrong = [value for value in inputs if specs[value].dtype != op_kind.input_dtype]
    if wrong:
        raise ValueError(f"value {wrong[0]} (={specs[wrong[0]].dtype}) must be {op_kind.input_dtype}")
    attributes, arrays = check_attributes(op_kind, op.attributes), check_arrays(op_kind, op.arrays)
    checked = Op(op.kind, str(op.name), inputs, attributes, arrays)
    return checked, op_kind.output(checked, [specs[value] for value in inputs])
