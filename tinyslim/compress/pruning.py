"""What the pruning strategies share: when they cut, what happens around a cut, and what is told of it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, PlainSerializer, WrapValidator

from tinyslim import graph, prune
from tinyslim.data import Loader
from tinyslim.graph import GraphModule
from tinyslim.report import save_widths_figure

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

    A cut is made at the beginning of an epoch: of `start_epoch`, if it is the only one. Of several, step i of n leaves
    (1 − target)^(i/n) of the FLOPs: each takes the same share, 1 − (1 − target)^(1/n), of what is left, and the
    training between them mends what they broke. FLOPs are counted against the model as it came.

    Attributes
    ----------
    target_ratio : float
        The share of FLOPs to remove.
    criterion : str or function
        How filters are ranked: see `prune.CRITERIA`. (PaddleSlim's `pruner` holds it, as `criterions`.)
    pruned_params : str
        Which weights may lose filters: a pattern of their dotted names, ``blocks.*.pointwise.*``.
    round_to : int
        Layers keep multiples of so many channels, 8 for widths that kernels like; 1 rounds nothing.
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

    def plan(self, context: Context, share: float) -> prune.Plan:
        """Which filters of ``context.model`` go, so that `share` of its FLOPs do."""
        raise NotImplementedError

    def replacing(self, total: int) -> range:
        return range(self.start_epoch, self.start_epoch + 1)

    def describe(self, context: Context) -> str:
        steps = len(self.replacing(context.settings.epochs))
        spread = f", in {steps} steps" if steps > 1 else ""
        criterion = self.criterion if isinstance(self.criterion, str) else self.criterion.__name__
        return f"remove {100 * self.target:g} % of the FLOPs by {criterion}{spread}"

    def cutting(self, context: Context) -> dict:
        """The arguments that all functions of `prune` take which plan a cut."""
        return {
            "criterion": self.criterion,
            "pruned_params": self.pruned_params,
            "seed": context.settings.seed,
            "round_to": self.round_to,
        }

    def on_compression_begin(self, context: Context) -> None:
        # A dry run: a pattern that matches nothing, or a target out of reach, must not come to light after hours.
        prune.uniform(context.original, context.example, target_flops=self.target, **self.cutting(context))

    def on_epoch_begin(self, context: Context) -> None:
        steps = self.replacing(context.settings.epochs)
        if context.epoch not in steps:
            return
        kept = (1 - self.target) ** ((steps.index(context.epoch) + 1) / len(steps))
        whole, now = _flops(context.original, context), _flops(context.model, context)
        # Whole channels, and widths that are rounded, may have taken so much that nothing is left for this step.
        if now > kept * whole:
            self._cut(context, self.plan(context, 1 - kept * whole / now))
        removed = 1 - _flops(context.model, context) / whole
        context.state[self.name] |= {"requested": 1 - kept, "achieved": removed}
        context.say(f"{self.name}: removed {removed:.2%} of the FLOPs; {1 - kept:.2%} asked for")

    def _cut(self, context: Context, plan: prune.Plan) -> None:
        for note in plan.note.splitlines():
            context.say(f"{self.name}: {note}")
        save_widths_figure(plan, self.file(context, "widths.png"))
        model = plan.apply()
        if self.recalibration_batches:
            prune.recalibrate_batch_norm(model, self._batches(context))
        context.replace_model(model)
        state = context.state[self.name]
        known = state.get("widths", {})
        state["widths"] = {name: [known.get(name, pair)[0], pair[1]] for name, pair in plan.widths.items()}
        state["cuts"] = state.get("cuts", 0) + 1

    def images(self, context: Context, rate: float) -> int:
        """How many images the share `rate` of the training set is; a standard error needs two."""
        return max(2, round(rate * len(context.train_set)))

    def evaluate(self, context: Context, images: int) -> prune.SubsetTop1:
        """top-1 on a seeded part of the training set, of a network that is treated as after the real cut."""
        return prune.SubsetTop1(context.train_set, images, context.settings.seed, self.recalibration_batches)

    def file(self, context: Context, name: str) -> Path:
        """Where a file that belongs to the next cut lies in the run's folder."""
        return self.numbered(context, context.folder / name)

    def numbered(self, context: Context, path: Path) -> Path:
        """`path` for the first cut of a run, path-2, path-3, … for those after it, whichever strategy makes them."""
        number = 1 + sum(state.get("cuts", 0) for state in context.state.values())
        return path if number == 1 else path.with_stem(f"{path.stem}-{number}")

    def _batches(self, context: Context) -> list:
        """Batches as they are in use: shuffled, but not augmented."""
        settings = context.settings
        loader = Loader(
            context.train_set, settings.batch_size, seed=settings.seed, preprocessing=context.model.preprocessing
        )
        return [images for images, _ in islice(loader.epoch(0), self.recalibration_batches)]


def _flops(model: GraphModule, context: Context) -> int:
    return graph.summary(model, context.example).flops
