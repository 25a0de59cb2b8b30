"""QuantizationStrategy: training with the rounding that integers bring, so that the Program at the end runs on them."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tinyslim import quant
from tinyslim.nn import BatchNorm2d

from .context import Context
from .strategy import Strategy, register


@register
class QuantizationStrategy(Strategy):
    """Puts fake quantisers into the model at `start_epoch`; they stay, and freezing then gives an int8 Program.

    From `end_epoch` on the ranges of the activations stand still, while the weights go on training.

    Attributes
    ----------
    weight_quantize_type, activation_quantize_type : str
        One of `quant.WEIGHT_TYPES` and of `quant.ACTIVATION_TYPES`.
    weight_bits, activation_bits : int
        2 to 8.
    activation_symmetric : bool
        False: tensors that may be negative get an affine grid. See `quant.prepare`.
    freeze_batch_norm : float
        The share of the steps from `start_epoch` on, the last ones, in which batch norm uses its running statistics and
        leaves them as they are: weights then train under the very numbers that are folded into them (Krishnamoorthi
        2018, §4.2.1).
    """

    quantizes: ClassVar[bool] = True

    weight_quantize_type: Literal[tuple(quant.WEIGHT_TYPES)] = "channel_wise_abs_max"
    activation_quantize_type: Literal[quant.ACTIVATION_TYPES] = "moving_average_abs_max"
    weight_bits: int = Field(8, ge=2, le=8)
    activation_bits: int = Field(8, ge=2, le=8)
    activation_symmetric: bool = True
    freeze_batch_norm: float = Field(0.0, ge=0, le=1)

    def replacing(self, total: int) -> range:
        return range(self.start_epoch, self.start_epoch + 1)

    def describe(self, context: Context) -> str:
        return (
            f"train with weights of {self.weight_bits} bits ({self.weight_quantize_type}) "
            f"and activations of {self.activation_bits} ({self.activation_quantize_type})"
        )

    def on_compression_begin(self, context: Context) -> None:
        # A dry run: an operation that integers can't compute must not come to light after hours.
        self._prepared(context.original, context)

    def on_epoch_begin(self, context: Context) -> None:
        if context.epoch == self.start_epoch:
            context.replace_model(self._prepared(context.model, context))

    def on_batch_begin(self, context: Context) -> None:
        if context.epoch < self.start_epoch:
            return
        if self.end_epoch is not None and context.epoch >= self.end_epoch:
            _use(context.model, quant.ActivationQuantizer)
        # The optimizer began with the prepared model, so it has counted the steps since, through a resume as well.
        steps = (context.settings.epochs - self.start_epoch) * len(context.loader)
        if context.optimizer.steps >= round((1 - self.freeze_batch_norm) * steps):
            _use(context.model, BatchNorm2d)

    def on_epoch_end(self, context: Context) -> None:
        # For `tinyslim quant-report`: how the ranges moved.
        if context.epoch >= self.start_epoch:
            history = context.state[self.name].setdefault("ranges", {})
            for path, ends in quant.ranges(context.model).items():
                history.setdefault(path, []).append(list(ends))

    def _prepared(self, model, context: Context):
        return quant.prepare(
            model,
            context.example,
            weight_quantize_type=self.weight_quantize_type,
            activation_quantize_type=self.activation_quantize_type,
            weight_bits=self.weight_bits,
            activation_bits=self.activation_bits,
            activation_symmetric=self.activation_symmetric,
        )


def _use(model, kind: type) -> None:
    """Let the layers of a kind behave as in use, while the others train."""
    for module in model.modules():
        if isinstance(module, kind):
            module.eval()
