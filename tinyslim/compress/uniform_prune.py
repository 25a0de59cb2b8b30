"""UniformPruneStrategy: filters go, the same share in every layer, until the FLOPs target is met."""

from __future__ import annotations

from tinyslim import prune

from .context import Context
from .pruning import PruningStrategy
from .strategy import register


@register
class UniformPruneStrategy(PruningStrategy):
    """Removes the same share of every layer's filters, those that the criterion puts lowest: see `PruningStrategy`.

    With an `end_epoch` the cut is spread over the epochs from `start_epoch` to there, a step at the beginning of each.
    Without one, or with one equal to `start_epoch`, it is made all at once.
    """

    def replacing(self, total: int) -> range:
        return range(self.start_epoch, max(self.end_epoch or 0, self.start_epoch + 1))

    def plan(self, context: Context, share: float) -> prune.Plan:
        return prune.plan_uniform(context.model, context.example, target_flops=share, **self.cutting(context))
