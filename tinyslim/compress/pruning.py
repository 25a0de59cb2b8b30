"""What the pruning strategies share: when they cut, what happens around a cut, and what is told of it."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, ClassVar, Literal

from pydantic import Field, PlainSerializer, WrapValidator

from tinyslim import graph, prune
from tinyslim.data import Loader
from tinyslim.graph import GraphModule
from tinyslim.train import evaluate

from .context import Context
from .strategy import Strategy

#: A name that a config can hold, or, from Python, a function from a weight (…, filters) to one number a filter.
Criterion = Annotated[
    Literal[tuple(prune.CRITERIA)],
    WrapValidator(lambda value, check: value if callable(value) else check(value)),
    PlainSerializer(lambda value: value),
]


class PruningStrategy(Strategy):
    """The base of the strategies that remove filters, physically; a subclass overrides `plan`.

    A cut is made at the beginning of an epoch, of `start_epoch` if it is the only one. Of several, step i of n leaves
    (1 − target)^(i/n) of the FLOPs, so each takes the same share of what is left, and training between them mends what
    they broke. FLOPs are always counted against the model as it came.

    Attributes
    ----------
    target_ratio : float
        The share of FLOPs to remove.
    criterion : str or function
        How filters are ranked: see `prune.CRITERIA`. PaddleSlim's `pruner`, which holds `criterions`.
    pruned_params : str
        Which weights may lose filters: a pattern of their dotted names, ``blocks.*.pointwise.*``.
    round_to : int
        Layers keep a multiple of so many channels, since kernels like some widths better than others; 1 rounds nothing.
    recalibration_batches : int
        Batch norm's statistics are taken anew from so many batches after each cut; 0 leaves them.
    """

    instant: ClassVar[bool] = True

    target_ratio: float = Field(0.5, gt=0, lt=1)
    criterion: Criterion = "l1_norm"
    pruned_params: str = "*"
    round_to: int = Field(1, ge=1)
    recalibration_batches: int = Field(10, ge=0)

    @property
    def target(self) -> float:
        """The share of the FLOPs that is gone after the last cut."""
        return self.target_ratio

    def replacing(self, total: int) -> range:
        return range(self.start_epoch, self.start_epoch + 1)

    def describe(self, context: Context) -> str:
        steps = len(self.replacing(context.settings.epochs))
        spread = f", in {steps} steps" if steps > 1 else ""
        criterion = self.criterion if isinstance(self.criterion, str) else self.criterion.__name__
        return f"remove {100 * self.target:g} % of the FLOPs by {criterion}{spread}"

    def plan(self, context: Context, share: float) -> prune.Plan:
        """Which filters of ``context.model`` go, so that `share` of its FLOPs do."""
        raise NotImplementedError

    def cutting(self) -> dict:
        """The arguments that every function of `prune` takes."""
        return {"criterion": self.criterion, "pruned_params": self.pruned_params, "round_to": self.round_to}

    def on_compression_begin(self, context: Context) -> None:
        # A dry run: a pattern that matches nothing, or a target out of reach, must not come to light after hours.
        prune.uniform(context.original, context.example, target_flops=self.target, **self.cutting())

    def on_epoch_begin(self, context: Context) -> None:
        steps = self.replacing(context.settings.epochs)
        if context.epoch not in steps:
            return
        kept = (1 - self.target) ** ((steps.index(context.epoch) + 1) / len(steps))
        whole, now = _flops(context.original, context), _flops(context.model, context)
        if now > kept * whole:
            self._cut(context, self.plan(context, 1 - kept * whole / now))
        removed = 1 - _flops(context.model, context) / whole
        context.state[self.name] |= {"requested": 1 - kept, "achieved": removed}
        rounded = f", with widths that {self.round_to} divides" if self.round_to > 1 else ""
        context.say(f"{self.name}: removed {removed:.2%} of the FLOPs; {1 - kept:.2%} asked for{rounded}")

    def _cut(self, context: Context, plan: prune.Plan) -> None:
        if plan.note:
            context.say(f"{self.name}: {plan.note}")
        # The test images only watch: nothing is chosen by these numbers.
        top1 = {"before": _top1(context.model, context)}
        model = plan.apply()
        top1["cut"] = _top1(model, context)
        told = f"test top-1 {top1['before']:.2%} before the cut, {top1['cut']:.2%} after it"
        if self.recalibration_batches:
            prune.recalibrate_batch_norm(model, self.calibration(context))
            top1["recalibrated"] = _top1(model, context)
            told += f", {top1['recalibrated']:.2%} with batch norm's statistics taken anew"
        context.replace_model(model)
        self._remember(context, plan, top1)
        context.say(f"{self.name}: {told}")

    def _remember(self, context: Context, plan: prune.Plan, top1: dict[str, float]) -> None:
        """Write down what the report needs: metrics.json shows the state of every strategy."""
        state = context.state[self.name]
        first = state.get("widths", {})
        state["widths"] = {
            layer: [first.get(layer, [before])[0], after] for layer, (before, after) in plan.widths.items()
        }
        state["cuts"] = [*state.get("cuts", []), {"epoch": context.epoch, "top1": top1}]

    def calibration(self, context: Context) -> list:
        """Batches as they are in use: shuffled, but not augmented."""
        settings = context.settings
        loader = Loader(
            context.train_set, settings.batch_size, seed=settings.seed, preprocessing=context.model.preprocessing
        )
        return [images for images, _ in islice(loader.epoch(0), self.recalibration_batches)]


def _flops(model: GraphModule, context: Context) -> int:
    return graph.summary(model, context.example).flops


def _top1(model: GraphModule, context: Context) -> float:
    return evaluate(model, context.test_set)["top1"]
