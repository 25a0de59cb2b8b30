"""SensitivePruneStrategy: each layer is measured alone, and those that bear it lose more."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from tinyslim import prune
from tinyslim.report import save_sensitivity_figure

from .context import Context
from .pruning import PruningStrategy
from .strategy import register


@register
class SensitivePruneStrategy(PruningStrategy):
    """Measures what removing filters of one layer alone costs, then lets every layer go to the same loss.

    Sensitivities are measured on a seeded, fixed subset of the training set: what the test images had a part in
    choosing, they could no longer judge. The loss on images that the model was trained on is smaller than on new ones,
    but only the layers' losses beside each other matter here. Before each measurement batch norm's statistics are taken
    anew, as they are after the cut itself, from `recalibration_batches`.

    With `num_steps` n > 1, step i is made i·k epochs after the first, k = 1 or, with an `end_epoch`, as large as lets
    all steps begin before it. Each step measures the network that the one before left.

    Everything that is measured is kept in the run's folder at once (sensitivity.json, sensitivity-2.json, …), so a run
    that was killed in the middle goes on from there.

    Attributes
    ----------
    delta_rate : float
        The step of the ratios that are measured: 0.2, 0.4, 0.6, 0.8 of the filters.
    num_steps : int
        In how many cuts, with training between them.
    eval_rate : float
        How much of the training set sensitivities are measured on, as a share.
    sensitivities_file : str or None
        Where they are kept instead; a file that is there is used as far as it goes, and refused if it was measured on
        another model, on other images or otherwise.
    metric_name : str
        What is measured: "top1". (PaddleSlim looks up a node of the evaluation's graph by it.)
    """

    delta_rate: float = Field(0.2, gt=0, le=0.5)
    num_steps: int = Field(1, ge=1)
    eval_rate: float = Field(0.2, gt=0, le=1)
    sensitivities_file: str | None = None
    metric_name: Literal["top1"] = "top1"

    @field_validator("num_steps")
    @classmethod
    def _fits(cls, steps: int, known: ValidationInfo) -> int:
        start, end = known.data.get("start_epoch"), known.data.get("end_epoch")
        if None not in (start, end) and steps > max(end - start, 1):
            raise ValueError(f"must be at most {max(end - start, 1)}: a step an epoch, from {start} to {end}")
        return steps

    def replacing(self, total: int) -> range:
        between = 1 if self.end_epoch is None else max((self.end_epoch - self.start_epoch) // self.num_steps, 1)
        return range(self.start_epoch, self.start_epoch + between * self.num_steps, between)

    def describe(self, context: Context) -> str:
        images = f"{self.images(context, self.eval_rate):,} training images"
        return f"{super().describe(context)}, where it costs least: measured on {images}"

    def plan(self, context: Context, share: float) -> prune.Plan:
        def show(done: int, of: int) -> None:
            context.track(done, of, f"{self.name}: measurement {done}/{of}")

        scored, cutting = self.images(context, self.eval_rate), self.cutting(context)
        context.say(f"{self.name}: measuring what each layer is worth, on {scored:,} training images")
        sensitivity = prune.sensitivity(
            context.model,
            context.example,
            self.evaluate(context, scored),
            ratios=self.ratios,
            executor=context.executor,
            path=self._path(context),
            on_trial=show,
            **cutting,
        )
        plan = prune.plan_sensitive(context.model, context.example, sensitivity, target_flops=share, **cutting)
        save_sensitivity_figure(sensitivity, self.file(context, "sensitivity.png"), plan)
        context.state[self.name]["sensitivities"] = [
            *context.state[self.name].get("sensitivities", []),
            {
                "baseline": sensitivity.baseline,
                "level": plan.level,
                "ratios": plan.ratios,
                "groups": {
                    name: {"width": group.width, "measurements": [asdict(one) for one in group.measurements]}
                    for name, group in sensitivity.groups.items()
                },
            },
        ]
        return plan

    @property
    def ratios(self) -> tuple[float, ...]:
        """The ratios that are measured."""
        multiples = (round(number * self.delta_rate, 9) for number in range(1, int(1 / self.delta_rate) + 1))
        return tuple(ratio for ratio in multiples if ratio < 1)

    def _path(self, context: Context) -> Path:
        if self.sensitivities_file is None:
            return self.file(context, "sensitivity.json")
        return self.numbered(context, Path(self.sensitivities_file))
