"""A Program: a network as a list of ops, float32 or int8 or both, that runs without any training code.

Build one op by op with `Builder`, or load one; `run` it, `save` it, print its `summary`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from tinyslim import kernels
from tinyslim.files import write_atomically

from . import file_format, runtime
from .kinds import OpKind
from .listing import listing
from .mixed_runner import MixedRunner
from .ops import OPS, Op, check_ops

#: How each kind of program runs.
RUNNERS = {"float32": runtime.FloatRunner, "int8": runtime.Int8Runner, "mixed": MixedRunner}


class Program:
    """A network that is ready to run.

    Parameters
    ----------
    kind : {"float32", "int8", "mixed"}
        Whether its ops are those of `FLOAT_OPS` or of `INT8_OPS`. An int8 program begins with the op `quantize`. A
        mixed one has ops of both, those of `FLOAT_OPS` under names that end in ``_float32``.
    input_shape : tuple of int
        (height, width, channels) of one image.
    ops : sequence of Op
        In the order in which they run; the last one's value is the float32 logits (classes,).
    preprocessing : (mean, std) or None
        By channel, of pixels in 0 … 1. With it the program also takes uint8 images.
    classes : sequence of str or None
        Names of the classes.

    Raises
    ------
    ValueError
        If an op does not fit its inputs, its arrays or its attributes.
    """

    def __init__(self, kind: str, input_shape, ops: Sequence[Op], preprocessing=None, classes=None):
        if kind not in OPS:
            raise ValueError(f"`kind` (={kind!r}) must be one of {', '.join(OPS)}")
        self.kind = kind
        self.input_shape = check_shape(input_shape)
        self.preprocessing = check_preprocessing(preprocessing, self.input_shape[2])
        self.ops, self.specs = check_ops(kind, self.input_shape, ops)
        self.classes = check_classes(classes, self.specs[-1].shape[0])

    def run(self, x: np.ndarray) -> np.ndarray:
        """The logits of some images.

        Parameters
        ----------
        x : array (n, h, w, c)
            float32 as the model takes it, or uint8 images, which are normalised by the program's preprocessing.
            n may be 0.

        Returns
        -------
        float32 array (n, classes)

        Raises
        ------
        TypeError, ValueError
            If x has another dtype or shape, or is uint8 in a program without preprocessing.
        """
        x = self.check_input(x)
        if kernels.is_swapped():
            return runtime.run_by_ops(self, x, kernels)
        return self._runner.run(x)

    def beginning(self, count: int, dtype) -> Callable[[np.ndarray], object]:
        """A function that runs only the first `count` ops on images of `dtype`: for looking where time goes."""
        return self._runner.beginning(count, dtype)

    def op_kind(self, op: Op) -> OpKind:
        """The entry of the op table that says what `op` does."""
        return OPS[self.kind][op.kind]

    def to_bytes(self) -> bytes:
        """The file that `save` writes: the same program gives the same bytes on every machine."""
        return file_format.encode(self)

    def save(self, path) -> None:
        """Write the program to `path`, whole or not at all."""
        contents = self.to_bytes()
        write_atomically(path, lambda file: file.write(contents))

    @cached_property
    def nbytes(self) -> int:
        """Bytes of the saved file."""
        return len(self.to_bytes())

    @cached_property
    def digest(self) -> str:
        """sha256 of all that the program is."""
        return file_format.digest(self)

    def summary(self) -> str:
        """A table of the ops: shapes, widths, scales and bytes."""
        return listing(self)

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.input_shape))
        return f"Program({self.kind}, {shape} → {self.specs[-1].shape[0]}, {len(self.ops)} ops, {self.nbytes:,} bytes)"

    def __getstate__(self) -> dict:
        """All but what is prepared for this machine: a copy in another process prepares its own."""
        return {name: value for name, value in self.__dict__.items() if name != "_runner"}

    @cached_property
    def _runner(self):
        return RUNNERS[self.kind](self)

    def check_input(self, x: np.ndarray) -> np.ndarray:
        """`x`, if it is something that the program takes; raises what `run` documents."""
        if not isinstance(x, np.ndarray) or x.dtype not in (np.float32, np.uint8):
            found = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
            raise TypeError(f"`x` (={found}) must be an array of float32, or of uint8 images")
        if x.shape[1:] != self.input_shape or x.ndim != 4:
            raise ValueError(f"`x` (shape {x.shape}) must have the shape (n, {', '.join(map(str, self.input_shape))})")
        if x.dtype == np.uint8 and self.preprocessing is None:
            raise ValueError("`x` (=uint8) must be float32: this program has no preprocessing to normalise images with")
        return x


class Builder:
    """Builds a Program op by op.

    Examples
    --------
    >>> import numpy as np
    >>> builder = Builder("float32", (2, 2, 1))
    >>> x = builder.add("flatten", "flatten", builder.input)
    >>> x = builder.add("linear", "head", x, weight=np.ones((4, 3), "f4"), bias=np.zeros(3, "f4"))
    >>> builder.build().run(np.ones((1, 2, 2, 1), "f4"))
    array([[4., 4., 4.]], dtype=float32)
    """

    #: The value that is the program's input.
    input = 0

    def __init__(self, kind: str, input_shape, preprocessing=None, classes=None):
        self.kind, self.input_shape = kind, input_shape
        self.preprocessing, self.classes = preprocessing, classes
        self.ops: list[Op] = []

    def add(self, kind: str, name: str, inputs: int | Sequence[int], **values) -> int:
        """Append an op; returns its value's number. Arrays among `values` become its arrays, the rest attributes."""
        arrays = {key: value for key, value in values.items() if isinstance(value, np.ndarray)}
        attributes = {key: value for key, value in values.items() if key not in arrays}
        inputs = (inputs,) if isinstance(inputs, int) else tuple(inputs)
        self.ops.append(Op(kind, name, inputs, attributes, arrays))
        return len(self.ops)

    def build(self) -> Program:
        """The program, whose last op gives the logits."""
        return Program(self.kind, self.input_shape, self.ops, self.preprocessing, self.classes)


#: Letters that an error tells about a bad file.
LONGEST_REASON = 400


def load(path) -> Program:
    """Read a program that `Program.save` wrote.

    Raises
    ------
    ValueError
        If the file is anything else: cut short, edited, of another version, or made to do harm. Nothing in it is
        executed, and no more memory is asked for than the file itself takes.

    Examples
    --------
    >>> import numpy as np, tempfile, tinyslim
    >>> from tinyslim import deploy, nn
    >>> x = np.ones((1, 8, 8, 1), np.float32)
    >>> program = tinyslim.freeze(nn.Sequential(nn.GlobalAvgPool2d(), nn.Linear(1, 2)), x)
    >>> path = tempfile.mkdtemp() + "/program.npz"
    >>> program.save(path)
    >>> bool((deploy.load(path).run(x) == program.run(x)).all())
    True
    """
    with open(path, "rb") as file:
        contents = file.read()
    try:
        return file_format.decode(contents, build_from_header)
    except file_format.UNREADABLE as error:
        reason = (
            error if isinstance(error, (ValueError, zipfile.BadZipFile)) else f"its header makes no sense ({error})"
        )
        # An error may repeat what it found, which is up to the whole file.
        raise ValueError(f"{path} is not a tinyslim program: {str(reason)[:LONGEST_REASON]}") from None


def build_from_header(header: dict, ops: list[tuple]) -> Program:
    """The program that a file describes."""
    return Program(header["kind"], header["input"], [Op(*op) for op in ops], header["preprocessing"], header["classes"])


def reference_run(program: Program, x: np.ndarray) -> np.ndarray:
    """Run a program through the plain twins of the kernels, in NumPy int64: what `run` must give, to the last byte."""
    return runtime.run_by_ops(program, program.check_input(x), kernels.reference)


def check_shape(shape) -> tuple[int, int, int]:
    """An input shape: three positive ints."""
    if not isinstance(shape, (tuple, list)) or len(shape) != 3:
        raise ValueError(f"`input_shape` (={shape!r}) must be (height, width, channels)")
    if not all(isinstance(size, (int, np.integer)) and 0 < size <= 1 << 15 for size in shape):
        raise ValueError(f"`input_shape` (={shape!r}) must hold ints from 1 to {1 << 15}")
    return tuple(int(size) for size in shape)


def check_preprocessing(preprocessing, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """(mean, std) as tuples of floats, or None."""
    if preprocessing is None:
        return None
    mean, std = (tuple(np.asarray(part, np.float64).reshape(-1).tolist()) for part in preprocessing)
    if len(mean) != channels or len(std) != channels or not np.isfinite(mean + std).all() or min(std) <= 0:
        raise ValueError(f"`preprocessing` (={preprocessing!r}) must be (mean, std > 0) of {channels} channels")
    return mean, std


def check_classes(classes, count: int) -> tuple[str, ...] | None:
    """Names of the classes, or None."""
    if classes is None:
        return None
    classes = tuple(classes)
    if len(classes) != count or not all(isinstance(name, str) for name in classes):
        raise ValueError(f"`classes` (={classes!r}) must be {count} names")
    return classes
