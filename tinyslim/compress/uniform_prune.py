"""UniformPruneStrategy: filters go, the same share in every layer, until the FLOPs target is met."""

from __future__ import annotations

from itertools import islice
from typing import ClassVar, Literal

from pydantic import Field

from tinyslim import graph, prune
from tinyslim.data import Loader

from .context import Context
from .strategy import Strategy, register


@register
class UniformPruneStrategy(Strategy):
    """Removes the filters of the smallest norm, physically; training then mends what that broke.

    With an `end_epoch` the cut is spread over the epochs from `start_epoch` to there, a step at the beginning of each:
    step i of n leaves (1 − target_ratio)^(i/n) of the FLOPs. Without one, or with one equal to `start_epoch`, it is
    made all at once.

    Attributes
    ----------
    target_ratio : float
        The share of FLOPs to remove.
    criterion : str
        How filters are ranked: see `prune.CRITERIA`.
    pruned_params : str
        Which weights may lose filters: a pattern of their dotted names, ``blocks.*.pointwise.*``.
    recalibration_batches : int
        Batch norm's statistics are taken anew from so many batches after each cut; 0 leaves them.
    """

    instant: ClassVar[bool] = True

    target_ratio: float = Field(0.5, gt=0, lt=1)
    criterion: Literal[tuple(prune.CRITERIA)] = "l1_norm"
    pruned_params: str = "*"
    recalibration_batches: int = Field(10, ge=0)

    def replacing(self, total: int) -> range:
        return range(self.start_epoch, max(self.end_epoch or 0, self.start_epoch + 1))

    def describe(self, context: Context) -> str:
        steps = len(self.replacing(context.settings.epochs))
        spread = f", in {steps} steps" if steps > 1 else ""
        return f"remove {100 * self.target_ratio:g} % of the FLOPs by {self.criterion}{spread}"

    def on_compression_begin(self, context: Context) -> None:
        # A dry run: a pattern that matches nothing, or a target out of reach, must not come to light after hours.
        self._pruned(context.original, context, self.target_ratio)

    def on_epoch_begin(self, context: Context) -> None:
        steps = self.replacing(context.settings.epochs)
        if context.epoch not in steps:
            return
        whole = graph.summary(context.original, context.example).flops
        kept = (1 - self.target_ratio) ** ((context.epoch - self.start_epoch + 1) / len(steps))
        now = graph.summary(context.model, context.example).flops
        model = self._pruned(context.model, context, 1 - kept * whole / now)
        if self.recalibration_batches:
            prune.recalibrate_batch_norm(model, self._batches(context, model))
        context.replace_model(model)
        removed = 1 - graph.summary(context.model, context.example).flops / whole
        context.state[self.name] |= {"requested": 1 - kept, "achieved": removed}
        context.say(f"{self.name}: removed {removed:.2%} of the FLOPs; {1 - kept:.2%} asked for")

    def _pruned(self, model, context: Context, share: float):
        return prune.uniform(
            model, context.example, target_flops=share, criterion=self.criterion, pruned_params=self.pruned_params
        )

    def _batches(self, context: Context, model):
        """Batches as they are in use: shuffled, but not augmented."""
        settings = context.settings
        loader = Loader(
            context.train_set, settings.batch_size, seed=settings.seed, preprocessing=context.model.preprocessing
        )
        return [images for images, _ in islice(loader.epoch(0), self.recalibration_batches)]
