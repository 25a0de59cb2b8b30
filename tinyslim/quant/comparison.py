"""Simulation against execution: how many integers of each layer differ, and by how much."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tinyslim import kernels
from tinyslim.autograd import Tensor, no_grad
from tinyslim.deploy import Op, Program
from tinyslim.graph import GraphModule, Node, evaluating, run_node

from .biases import round_biases
from .lookup import grid_of, integers, quantizer_behind
from .placement import WEIGHTED, chain

#: The share of a layer's integers that float32's rounding may carry over a boundary, and how many a small layer may.
SHARE, FEW = 1e-4, 3


@dataclass(frozen=True)
class Row:
    """One op of the Program, fed the simulation's own integers.

    Attributes
    ----------
    name, op : str
    integers : int
        How many it gives.
    differing, largest : int
        How many of them are others than the simulation's, and by how many steps at most. Logits are counted in steps of
        their sums, or of 2⁻¹⁸ of the largest if that is more: sums of a thousand products in float32 are no better.
    by_bias : int
        How many the rounding of the biases changes, which the simulation that is compared with has in it.
    """

    name: str
    op: str
    integers: int
    differing: int
    largest: int
    by_bias: int

    @property
    def share(self) -> float:
        return self.differing / self.integers

    @property
    def is_fault(self) -> bool:
        """Whether rounding alone can't be the reason."""
        return self.largest > 1 or self.differing > FEW + SHARE * self.integers


@dataclass(frozen=True)
class Comparison:
    """What `compare` finds; printed, a table.

    Attributes
    ----------
    rows : list of Row
    images : int
    agreeing : int
        Of how many images simulation and Program name the same class, each run freely.
    """

    rows: list[Row]
    images: int
    agreeing: int

    @property
    def integers(self) -> int:
        return sum(row.integers for row in self.rows)

    @property
    def differing(self) -> int:
        return sum(row.differing for row in self.rows)

    @property
    def share(self) -> float:
        """Of all integers, those that differ."""
        return self.differing / self.integers

    @property
    def largest(self) -> int:
        """The largest difference, in steps."""
        return max(row.largest for row in self.rows)

    @property
    def faults(self) -> list[Row]:
        """The layers that differ by more than rounding."""
        return [row for row in self.rows if row.is_fault]

    def check(self) -> Comparison:
        """Itself; raises ValueError, with the layers' names, when some differ by more than rounding."""
        if self.faults:
            raise ValueError(
                f"simulation and Program differ by more than rounding in {', '.join(row.name for row in self.faults)}:"
                f"\n{self}"
            )
        return self

    def __str__(self) -> str:
        header = ("layer", "op", "integers", "differ", "share", "largest", "by bias", "")
        table = [header, *(_cells(row) for row in self.rows), self._sum()]
        widths = [max(len(line[i]) for line in table) for i in range(len(header))]
        lines = (
            "  ".join(f"{cell:<{width}}" if i in (0, 1, 7) else f"{cell:>{width}}"
                      for i, (cell, width) in enumerate(zip(line, widths, strict=True))).rstrip()
            for line in table
        )  # fmt: skip
        return "\n".join([*lines, f"run freely, {self.agreeing:,} of {self.images:,} images get the same class"])

    def _sum(self) -> tuple[str, ...]:
        by_bias = sum(row.by_bias for row in self.rows)
        return (*_cells(Row("all", "", self.integers, self.differing, self.largest, by_bias))[:-1], "")


def _cells(row: Row) -> tuple[str, ...]:
    remark = "more than rounding" if row.is_fault else ""
    counts = f"{row.integers:,}", f"{row.differing:,}", f"{row.share:.4%}", str(row.largest), f"{row.by_bias:,}"
    return row.name, row.op, *counts, remark


def compare(model: GraphModule, program: Program, batch: np.ndarray) -> Comparison:
    """Feed each op of `program` the integers of the simulation `model`, and count where it gives others.

    Run freely, a difference of one step early on becomes many later, since a network multiplies it; so each op is
    judged by itself. Let v be the exact output in steps of its grid, before it is rounded. Integers and simulation
    differ where a boundary n + 1/2 lies between what either has for v, and there are three reasons for it:

    1. Biases count 256ths of a step of the sums in the Program: v moves by up to M/512, M/1024 on average, where
       M = S₁·S₂·|c|/S₃ is the step of the sums in steps of the output. Boundaries lie one step apart, so that changes a
       share M/1024 of the integers: 10⁻⁵ in most layers, 10⁻⁴ with weights of 4 bits. Where batch norm magnifies a
       channel that hardly varies (c = γ/σ is large), M is above 1, and it may be one in some hundred. All of it is
       known beforehand: the simulation is given these biases (`round_biases`), and the column "by bias" tells how many
       integers that changed. Logits have biases of whole steps.
    2. The simulation sums k products in float32: v is off by about √k·2⁻²⁴ times the size of the partial sums, which
       are some hundred steps. That is 10⁻⁶ to 10⁻⁴ steps, and the share of the integers that differ. The Program's sum
       is exact, and its m·2⁻ˢ is within 2⁻³¹ of M.
    3. In a tie the simulation rounds to the even integer and the Program up. v is a tie only by chance, unless M is a
       fraction of a small power of two, as in a mean of four pixels that keeps its grid.

    The last two never move v by a whole step, so no integer can differ by two. A layer of which "by bias" counts many
    deserves a look: its accuracy on integers is that of `round_biases(model)`.

    Parameters
    ----------
    model : GraphModule
        What `prepare` or `calibrate` made; it is run in eval mode and stays as it is.
    program : Program
        What `tinyslim.freeze` made of it.
    batch : array (n, h, w, c)
        float32 as the model takes it, or uint8 images, which are normalised by the program's preprocessing.

    Returns
    -------
    Comparison
        ``.check()`` raises an error where the difference is more than rounding.

    Raises
    ------
    ValueError
        When the program is not one of this model: an op's name is none of its layers, or shapes differ.

    Examples
    --------
    >>> import numpy as np, tinyslim
    >>> from tinyslim import nn, quant
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(4, 2))
    >>> x = np.random.default_rng(0).normal(size=(4, 8, 8, 1)).astype(np.float32)
    >>> prepared = quant.prepare(net, x)
    >>> _ = prepared(x)
    >>> print(quant.compare(prepared, tinyslim.freeze(prepared, x), x).check())
    layer             op                 integers  differ    share  largest  by bias
    quantizers.input  quantize                256       0  0.0000%        0        0
    0                 conv2d                  576       0  0.0000%        0        0
    2                 global_avg_pool2d        16       0  0.0000%        0        0
    3                 logits                    8       0  0.0000%        0        0
    all                                       856       0  0.0000%        0        0
    run freely, 4 of 4 images get the same class
    """
    x = _images(program, batch)
    with no_grad(), evaluating(model):
        rounded = round_biases(model)
        walk = _Walk(model, rounded, program, rounded.results(Tensor(x)))
        for position, op in enumerate(program.ops):
            walk.step(position, op)
        simulated = model(x).data
    agreeing = int((simulated.argmax(1) == program.run(x).argmax(1)).sum())
    return Comparison(walk.rows, len(x), agreeing)


def _images(program: Program, batch: np.ndarray) -> np.ndarray:
    """The batch as the model takes it."""
    if program.kind != "int8":
        raise ValueError(f"`program` (={program.kind}) must be one on integers: freeze a prepared or calibrated model")
    batch = program.check_input(batch)
    if len(batch) == 0:
        raise ValueError("`batch` is empty: there is nothing to compare")
    return kernels.normalize_images(batch, *program.preprocessing) if batch.dtype == np.uint8 else batch


@dataclass
class _Walk:
    """Op after op; each value is the simulation's, never what an earlier op of the Program gave."""

    model: GraphModule
    rounded: GraphModule
    program: Program
    results: dict[str, Tensor]
    values: dict[int, np.ndarray] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def __post_init__(self):
        graph = self.rounded.graph
        self.nodes = {node.name: node for node in graph}
        self.values[0] = self.results[graph.input.name].data

    def step(self, position: int, op: Op) -> None:
        """Compute one op, and note how it differs."""
        node, value = self.nodes.get(op.name), position + 1
        if value in self.values:
            return  # a clip that came with the op before it
        found = self._run(op)
        between = op.kind in ("quantize", "dequantize") or op.name.endswith("]")  # concat[1]: bytes brought to its grid
        if node is None and not between:
            raise ValueError(f"`program` is not one of `model`, which has nothing called {op.name!r} ({op.kind})")
        if node is None:
            self.values[value] = found
            return
        end = self._end(node)
        real, grid = self.results[end.name].data, grid_of(self.rounded.graph, node)
        if real.shape != found.shape:
            raise ValueError(f"`program` is not one of `model`: {op.name} is {found.shape} there, {real.shape} here")
        if op.kind == "logits":
            self._note(op, np.rint((found - real) / _logit_steps(op, real)), self._bias_effect(node, real, op))
        elif self.program.specs[value].dtype == "float32":
            self.values[value] = real
        else:
            self.values[value] = expected = integers(real, grid)
            found = self._clipped(value, node, found)
            effect = self._bias_effect(node, real, op)
            self._note(op, found.astype(np.int64) - expected, effect)

    def _run(self, op: Op) -> np.ndarray:
        return self.program.op_kind(op).run(op, kernels, *(self.values[value] for value in op.inputs))

    def _end(self, node: Node) -> Node:
        """The node whose result, rounded, is that of the op called `node`."""
        return node.inputs[0] if node.op == "fake_quant" else chain(self.rounded.graph, node)[-1]

    def _clipped(self, value: int, node: Node, found: np.ndarray) -> np.ndarray:
        """What the op gives together with the clip behind it, if there is one that belongs to it."""
        if value >= len(self.program.ops):
            return found
        following = self.program.ops[value]
        members = [node] if node.op == "fake_quant" else chain(self.rounded.graph, node)
        names = {member.name for member in [*members, quantizer_behind(self.rounded.graph, members[-1])] if member}
        if following.kind != "clip" or tuple(following.inputs) != (value,) or following.name not in names:
            return found
        self.values[value + 1] = self.values[value]
        return self.program.op_kind(following).run(following, kernels, found)

    def _bias_effect(self, node: Node, real: np.ndarray, op: Op) -> int:
        """How many integers the rounded biases change, on the same input."""
        if node.op not in WEIGHTED:
            return 0
        plain = self._with_plain_biases(node)
        if op.kind == "logits":
            return int(np.count_nonzero(np.rint((plain - real) / _logit_steps(op, real))))
        grid = grid_of(self.rounded.graph, node)
        return int(np.count_nonzero(integers(plain, grid) != integers(real, grid)))

    def _with_plain_biases(self, node: Node) -> np.ndarray:
        graph = self.model.graph
        members = chain(graph, graph[node.name])
        values = {parent: self.results[parent.name] for parent in members[0].inputs}
        layers, parameters = dict(self.model.named_modules()), dict(self.model.named_parameters())
        for member in members:
            values[member] = run_node(member, values, layers, parameters)
        return values[members[-1]].data

    def _note(self, op: Op, off: np.ndarray, by_bias: int) -> None:
        differing, largest = int(np.count_nonzero(off)), int(np.abs(off).max())
        self.rows.append(Row(op.name, op.kind, off.size, differing, largest, by_bias))


def _logit_steps(op: Op, real: np.ndarray) -> np.ndarray:
    """In what logits are counted, a step a class: those of the sums, or what float32 can tell apart if that is more."""
    return np.maximum(op.arrays["scale"], np.abs(real).max() * np.float32(2.0**-18))
