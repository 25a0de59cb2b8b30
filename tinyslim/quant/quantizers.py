"""Layers that bring an activation to the grid of its integers, while they find out what grid that should be."""

from __future__ import annotations

import numpy as np

import tinyslim.functional as F
from tinyslim import kernels
from tinyslim.autograd import Tensor
from tinyslim.nn import Layer

from .grid import Grid, activation_grid, affine_grid, check_bits
from .learned_steps import finite, gradient_scale, keep_positive, smallest, starting_step
from .observers import RULES, check_seen, settled

#: The names that `prepare` takes: rules that watch the range, and a step that is trained.
ACTIVATION_TYPES = (*RULES, "lsq")


class ActivationQuantizer(Layer):
    """Rounds an activation to the grid of its integers, and learns the grid's range from what comes by.

    In training each batch moves the range, by the rule that `quantize_type` names; in use the range stands still.

    Parameters
    ----------
    quantize_type : str
        A key of `RULES`.
    bits : int
    non_negative : bool
        Whether the activation can't be below 0: the grid then begins at 0.
    symmetric : bool
        Whether the grid of another one reaches as far below 0 as above; if not, it ends where the values do.

    Attributes
    ----------
    memory : numpy.ndarray
        Three numbers, see `observers`: of the largest |x|; or (2, 3), of how far the values reach above 0 and below.
    """

    op = "fake_quant"
    settings = ("quantize_type", "bits", "non_negative", "symmetric")
    symmetric = True

    def __init__(
        self,
        quantize_type: str = "moving_average_abs_max",
        bits: int = 8,
        non_negative: bool = False,
        symmetric: bool = True,
    ):
        check_activation_type(quantize_type)
        check_bits(activation_bits=bits)
        self.quantize_type, self.bits, self.non_negative, self.symmetric = quantize_type, bits, non_negative, symmetric
        self.memory = np.zeros(3 if non_negative or symmetric else (2, 3), np.float64)

    def grid(self) -> Grid:
        """The grid that the range at rest gives: what freezing takes."""
        return self._grid_of([settled(self.quantize_type, part) for part in np.atleast_2d(self.memory)])

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return F.fake_quant(x, *self.grid().numbers)
        reach = self._reach(x.data)
        if not np.isfinite(reach).all():
            return x  # no grid holds it: the loss will tell, and the range remembers nothing of it
        rule = RULES[self.quantize_type]
        ranges = [rule(part, size) for part, size in zip(np.atleast_2d(self.memory), reach, strict=True)]
        return F.fake_quant(x, *self._grid_of(ranges).numbers)

    def _reach(self, x: np.ndarray) -> list[float]:
        """What a rule is told of a batch: the largest |x|, or how far its values reach above 0 and below."""
        if self.memory.ndim == 1:
            return [kernels.abs_max(x)]
        return [float(np.maximum(x.max(), 0)), float(np.maximum(-x.min(), 0))]

    def _grid_of(self, ranges: list[float]) -> Grid:
        if len(ranges) == 1:
            return activation_grid(*ranges, self.bits, self.non_negative)
        return affine_grid(*ranges, self.bits)


class LearnedActivationQuantizer(ActivationQuantizer):
    """Rounds an activation to a grid whose step is trained like a weight (LSQ, Esser et al. 2020).

    The first batch gives the step that training begins with. The zero point is that of the other quantisers; where the
    grid is not symmetric, it follows from how far the first batch reaches on either side of 0, and stays.

    Attributes
    ----------
    step : Tensor
        ().
    memory : numpy.ndarray
        The step that the first batch gave, the number of batches seen, and the zero point.
    """

    def __init__(self, bits: int = 8, non_negative: bool = False, symmetric: bool = True):
        super().__init__("lsq", bits, non_negative, symmetric)
        self.memory = np.zeros(3, np.float64)
        self.step = Tensor(np.zeros((), np.float32), requires_grad=True)

    def grid(self) -> Grid:
        """The grid of the step as it is."""
        check_seen(self.memory)
        step = max(float(finite(self.step.data)), smallest(self.memory[0]))
        return Grid(step, int(self.memory[2]), 0, 2**self.bits - 1)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return F.fake_quant(x, *self.grid().numbers)
        if self.memory[1] == 0:
            if not np.isfinite(kernels.abs_max(x.data)):
                return x
            self._begin(x.data)
        self.memory[1] += 1
        keep_positive(self.step, smallest(self.memory[0]))
        if not np.isfinite(self.step.data):
            return x * self.step  # the loss shall tell
        _, *integers = self.grid().numbers
        features = x.size // max(len(x), 1)
        return F.learned_fake_quant(x, self.step, *integers, gradient_scale(features, self._levels()))

    def _begin(self, x: np.ndarray) -> None:
        above, below = (max(float(side), 0.0) for side in (x.max(), -x.min()))
        largest = max(above, below)
        symmetric = self.symmetric or self.non_negative
        grid = (
            activation_grid(largest, self.bits, self.non_negative)
            if symmetric
            else affine_grid(above, below, self.bits)
        )
        self.memory[2] = grid.zero_point
        self.memory[0] = starting_step(float(np.abs(x).mean()), largest, self._levels())
        self.step.data[...] = self.memory[0]

    def _levels(self) -> int:
        """How many steps there are on the longer side of 0."""
        zero_point, top = int(self.memory[2]), 2**self.bits - 1
        return max(top - zero_point, zero_point - 1)


def check_activation_type(quantize_type: str) -> None:
    """Refuse a name that no quantiser bears."""
    if quantize_type not in ACTIVATION_TYPES:
        raise ValueError(
            f"`activation_quantize_type` (={quantize_type!r}) must be one of {', '.join(ACTIVATION_TYPES)}"
        )


def activation_quantizer(quantize_type: str, bits: int, non_negative: bool, symmetric: bool) -> ActivationQuantizer:
    """The quantiser of that name, with the grid that a tensor needs."""
    if quantize_type == "lsq":
        return LearnedActivationQuantizer(bits, non_negative, symmetric)
    return ActivationQuantizer(quantize_type, bits, non_negative, symmetric)
