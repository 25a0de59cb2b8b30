"""QuantizationStrategy: training with the rounding that integers bring, so that the Program at the end runs on them."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tinyslim import quant

from .context import Context
from .strategy import Strategy, register


@register
class QuantizationStrategy(Strategy):
    """Puts fake quantisers into the model at `start_epoch`; they stay, and freezing then gives an int8 Program.

    From `end_epoch` on the ranges of the activations stand still, while the weights go on training.

    Attributes
    ----------
    weight_quantize_type : str
        "channel_wise_abs_max" or "abs_max".
    activation_quantize_type : str
        "moving_average_abs_max", "abs_max" or "range_abs_max".
    weight_bits, activation_bits : int
        2 to 8.
    """

    quantizes: ClassVar[bool] = True

    weight_quantize_type: Literal["channel_wise_abs_max", "abs_max"] = "channel_wise_abs_max"
    activation_quantize_type: Literal[tuple(quant.RULES)] = "moving_average_abs_max"
    weight_bits: int = Field(8, ge=2, le=8)
    activation_bits: int = Field(8, ge=2, le=8)

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
        if self.end_epoch is not None and context.epoch >= self.end_epoch:
            for module in context.model.modules():
                if isinstance(module, quant.ActivationQuantizer):
                    module.eval()

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
        )
