"""AutoPruneStrategy: simulated annealing looks for the share of filters that each layer loses."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field, ValidationInfo, field_validator

from tinyslim import prune
from tinyslim.data import Dataset
from tinyslim.nn import Module
from tinyslim.report import save_search_figure
from tinyslim.train import data_digest, fit

from .context import Context
from .pruning import PruningStrategy
from .settings import CompressorSettings
from .strategy import register


@register
class AutoPruneStrategy(PruningStrategy):
    """Tries many networks, each with other ratios, keeps the best, and trains that: see `prune.search`.

    A trial cuts the network that trains, takes batch norm's statistics anew and measures top-1 on a seeded, fixed
    subset of the training set: what the test images had a part in choosing, they could no longer judge. The whole
    search runs at the beginning of `start_epoch`, and the best plan is cut at once, so there is nothing for an
    `end_epoch` to end: it must be left out, or be `start_epoch`. (PaddleSlim makes one trial an epoch until
    `end_epoch`, and trains the last one on, not the best.)

    Each trial is kept in the run's folder at once (search.jsonl): a run that was killed goes on from there.

    Attributes
    ----------
    target_ratio : float or None
        The share of the FLOPs that every trial removes; it takes the place of `min_ratio` and `max_ratio`.
    min_ratio, max_ratio : float
        The least and the most that a trial may remove. The score is top-1 alone, as in PaddleSlim, so a search has no
        reason to remove more than the least, and seldom ends far above it.
    max_iter_number : int
        How many trials there are after the first. (This and the next two are those of PaddleSlim's `controller`.)
    reduce_rate, init_temperature : float or None
        The temperature is init_temperature · reduce_rate^k. By default it starts at the standard deviation of the first
        ten scores and ends at a hundredth of that. PaddleSlim's are 0.85 and 1024, which accept any step for 60 trials.
    uniform_range : int or None
        Changed ratios are multiples of 1/uniform_range; PaddleSlim's tokens.
    init_ratios : dict or None
        Where the search starts, the share of its filters that each group loses by name; by default the same for all.
        (PaddleSlim's `init_tokens`.)
    retrain_epoch : int
        So many epochs each trial trains before it is measured, on as many training images as it is measured on.
    eval_rate : float
        How much of the training set trials are measured on, as a share.
    """

    target_ratio: float | None = Field(None, gt=0, lt=1)
    min_ratio: float = Field(0.5, gt=0, lt=1)
    max_ratio: float = Field(0.7, gt=0, lt=1, validate_default=True)
    max_iter_number: int = Field(300, ge=1)
    reduce_rate: float | None = Field(None, gt=0, le=1)
    init_temperature: float | None = Field(None, ge=0)
    uniform_range: int | None = Field(None, ge=2)
    init_ratios: dict[str, float] | None = None
    retrain_epoch: int = Field(0, ge=0)
    eval_rate: float = Field(0.2, gt=0, le=1)

    @field_validator("max_ratio")
    @classmethod
    def _is_a_range(cls, most: float, known: ValidationInfo) -> float:
        if most < (least := known.data.get("min_ratio", 0)):
            raise ValueError(f"must be at least min_ratio (={least})")
        return most

    @field_validator("end_epoch")
    @classmethod
    def _cuts_at_once(cls, end: int | None, known: ValidationInfo) -> int | None:
        if end is not None and end > (start := known.data.get("start_epoch", end)):
            raise ValueError(f"must be left out, or be start_epoch (={start}): the whole search runs there")
        return end

    @property
    def target(self) -> float:
        return self.min_ratio if self.target_ratio is None else self.target_ratio

    def describe(self, context: Context) -> str:
        images = f"{self.images(context, self.eval_rate):,} training images"
        return f"{super().describe(context)}, the best of {self.max_iter_number + 1} ways on {images}"

    def plan(self, context: Context, share: float) -> prune.Plan:
        def show(trial: prune.Trial) -> None:
            text = f"{self.name}: trial {trial.step}/{self.max_iter_number}  top-1 {trial.score:6.1%}"
            context.track(trial.step, self.max_iter_number, text)

        scored = self.images(context, self.eval_rate)
        context.say(f"{self.name}: trying {self.max_iter_number + 1} networks on {scored:,} training images")
        search = prune.plan_search(
            context.model,
            context.example,
            self.evaluate(context, scored),
            target_flops=self._range(share),
            steps=self.max_iter_number,
            executor=context.executor,
            reduce_rate=self.reduce_rate,
            init_temperature=self.init_temperature,
            uniform_range=self.uniform_range,
            init_ratios=self.init_ratios,
            retrain=self._retrain(context, scored),
            path=self.file(context, "search.jsonl"),
            on_trial=show,
            **self.cutting(context),
        )
        self._tell(context, search)
        return search.plan

    def _range(self, share: float) -> float | tuple[float, float]:
        """What a trial may remove of the network that trains, if `share` is the least of it."""
        if self.target_ratio is not None:
            return share
        return share, 1 - (1 - share) * (1 - self.max_ratio) / (1 - self.min_ratio)

    def _retrain(self, context: Context, images: int) -> ShortTraining | None:
        if not self.retrain_epoch:
            return None
        other = context.train_set.subset(images, seed=context.settings.seed + 1)
        return ShortTraining(other, self.retrain_epoch, context.settings)

    def _tell(self, context: Context, search: prune.Search) -> None:
        start, best = search.trials[0], search.best
        context.say(
            f"{self.name}: trial {best.step} of {len(search.trials) - 1} is the best, {best.score:.2%} against "
            f"{start.score:.2%} of the first"
        )
        save_search_figure(search.trials, self.file(context, "search.png"))
        context.state[self.name]["trials"] = [
            {
                "step": trial.step,
                "score": trial.score,
                "flops_removed": trial.flops_removed,
                "temperature": trial.temperature,
                "accepted": trial.accepted,
            }
            for trial in search.trials
        ]


@dataclass(frozen=True)
class ShortTraining:
    """Trains a network that was cut, before it is measured; can be sent to other processes.

    Attributes
    ----------
    images : Dataset
    epochs : int
    settings : CompressorSettings
        A schedule of their own runs over these epochs.
    """

    images: Dataset
    epochs: int
    settings: CompressorSettings

    @property
    def identity(self) -> str:
        """What is trained on, and how."""
        return f"{self.epochs} epochs on {data_digest(self.images)}; {self.settings}"

    def __call__(self, model: Module) -> Module:
        settings = self.settings
        fit(
            model,
            self.images,
            self.epochs,
            settings.batch_size,
            settings.lr,
            settings.seed,
            momentum=settings.momentum,
            nesterov=settings.nesterov and settings.momentum > 0,
            weight_decay=settings.weight_decay,
            schedule=settings.schedule,
            augment=None if settings.augment == "none" else settings.augment,
            label_smoothing=settings.label_smoothing,
            quiet=True,
        )
        return model
