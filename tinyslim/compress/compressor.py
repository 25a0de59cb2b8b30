"""The Compressor: it trains a model, lets strategies change it on the way, freezes it, and measures what came of it."""

from __future__ import annotations

import copy
import time
from concurrent.futures import Executor
from functools import cached_property
from pathlib import Path

from tinyslim.data import Dataset, Loader
from tinyslim.files import write_text_atomically
from tinyslim.nn import Module
from tinyslim.train import (
    Batch,
    Progress,
    TrainingDivergedError,
    canonical,
    data_digest,
    evaluate,
    model_digest,
    train_epoch,
)

from .checkpoint import read_checkpoint, write_checkpoint
from .config import Config, read_config
from .context import Context
from .finish import Result, finish
from .fitting import check_fit
from .folder import CHECKPOINT, folder_to_resume, fresh_folder, sweep
from .identity import flat
from .measure import table, verdict
from .plan import plan
from .rates import schedule
from .strategy import Strategy


class Compressor:
    """Compresses a model as a config says.

    Parameters
    ----------
    model : Module
        A trained network; it stays as it is.
    train_data, test_data : Dataset
    config : str, Path, dict or Config
        A recipe's name, a path to a TOML file, or a dict of the same shape: `[compressor]`, then `[strategies.NAME]` in
        the order in which they work.
    out : str or Path, optional
        The folder for what is made, by default ``runs/RECIPE``. No finished run is overwritten: RECIPE-2 comes next.
    teacher : Module, optional
        For strategies that distil.
    executor : concurrent.futures.Executor, optional
        For strategies that measure many networks; the numbers are those of one process.
    resume : bool
        Go on from the checkpoint in `out`, to the same numbers as a run that was never stopped.
    quiet : bool
        Print nothing.

    Raises
    ------
    ConfigError
        With everything that is wrong with the config, a line each.
    ValueError
        When model and data don't fit.

    Examples
    --------
    >>> import tempfile, numpy as np, tinyslim
    >>> from tinyslim import data, nn
    >>> images = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 1), np.uint8)
    >>> pixels = data.Dataset(images, np.arange(32) % 2, ["even", "odd"])
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(4, 2))
    >>> config = {"compressor": {"epochs": 1}, "strategies": {"quant": {"class": "QuantizationStrategy"}}}
    >>> compressor = tinyslim.Compressor(model, pixels, pixels, config, out=tempfile.mkdtemp(), quiet=True)
    >>> result = compressor.run()
    >>> result.program.kind, sorted(path.name for path in result.out.glob("*.npz"))
    ('int8', ['model.npz', 'program.npz'])
    """

    def __init__(
        self,
        model: Module,
        train_data: Dataset,
        test_data: Dataset,
        config,
        out=None,
        teacher: Module | None = None,
        executor: Executor | None = None,
        resume: bool = False,
        quiet: bool = False,
    ):
        self.config: Config = read_config(config)
        self.train_set, self.test_set, self.teacher, self.executor = train_data, test_data, teacher, executor
        self.wish = Path(out) if out is not None else Path("runs", self.config.name)
        self.resume, self.quiet = resume, quiet
        self.original = copy.deepcopy(model).eval()
        if self.original.preprocessing is None:
            self.original.preprocessing = (train_data.mean, train_data.std)
        self.example = train_data.normalized(slice(0, 1), self.original.preprocessing)
        check_fit(self.original, self.example, train_data, test_data)

    def run(self) -> Result:
        """Train, freeze, measure; leaves program.npz, model.npz, metrics.json, config.json, report.html, … in `out`.

        Raises
        ------
        TrainingDivergedError
            When the loss is no longer finite; the checkpoint of the last good epoch stays.
        KeyboardInterrupt
            After Ctrl-C, with a message that says how to go on.
        """
        with Progress(self.config.settings.epochs, self.quiet) as progress:
            context = self._context(progress)
            self._call("on_compression_begin", context)
            context.folder = out = self._open(context)
            context.say(plan(self.config, context, self.train_set, out))
            try:
                while context.epoch < self.config.settings.epochs:
                    self._epoch(context, progress)
                    write_checkpoint(out / CHECKPOINT, context, self.identity)
                context.model.eval()
                self._call("on_compression_end", context)
                return self._finish(context, out, progress)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(_how_to_go_on(context.epoch, out)) from None
            except TrainingDivergedError as error:
                kept = f"; the checkpoint after epoch {context.epoch} is kept in {out}" if context.epoch else ""
                raise TrainingDivergedError(f"{error}{kept}") from None

    def _say(self, progress: Progress, text: str) -> None:
        # Paths and settings are to be copied from the terminal: no line breaks of rich's own, no markup.
        if not self.quiet:
            progress.console.print(text, soft_wrap=True, markup=False)

    def _context(self, progress: Progress) -> Context:
        settings = self.config.settings
        loader = Loader(
            self.train_set,
            settings.batch_size,
            seed=settings.seed,
            augment=None if settings.augment == "none" else settings.augment,
            preprocessing=self.original.preprocessing,
        )
        return Context(
            settings=settings,
            original=self.original,
            model=canonical(self.original, self.example),
            example=self.example,
            train_set=self.train_set,
            test_set=self.test_set,
            loader=loader,
            schedule=schedule(self.config, len(loader)),
            teacher=self.teacher,
            executor=self.executor,
            say=lambda text: self._say(progress, text),
            track=progress.work,
            state={strategy.name: {} for strategy in self.config.strategies},
            objects={strategy.name: {} for strategy in self.config.strategies},
        )

    def _call(self, hook: str, context: Context) -> None:
        """Call a hook of every strategy, in order; errors name the strategy."""
        for strategy in self.config.strategies:
            _call_one(strategy, hook, context)

    def _open(self, context: Context) -> Path:
        """The folder of this run; with `resume` its checkpoint is read into `context`."""
        stopped = folder_to_resume(self.wish)
        if self.resume and stopped is not None:
            sweep(stopped)
            read_checkpoint(stopped / CHECKPOINT, context, self.identity)
            where = f"after epoch {context.epoch}" if context.epoch else "before epoch 1"
            context.say(f"resuming {where} from {stopped / CHECKPOINT}")
            return stopped
        out = fresh_folder(self.wish)
        if self.resume:
            context.say(f"there is no checkpoint to resume from in {self.wish}: starting afresh, in {out}")
        elif stopped is not None:
            context.say(f"{stopped} holds a run that was stopped; --resume (resume=True) would go on with it")
        write_text_atomically(out / "config.json", self.config.as_json() + "\n")
        # What strategies find out before the first epoch may take hours: a kill there must find its way back, too.
        write_checkpoint(out / CHECKPOINT, context, self.identity)
        return out

    def _epoch(self, context: Context, progress: Progress) -> None:
        start = time.perf_counter()
        settings = self.config.settings
        context.reset_loss()
        entry = self._begin(context)
        context.between_epochs = False
        entry |= self._train(context, progress)
        context.between_epochs = True
        last = context.epoch + 1 == settings.epochs
        if settings.eval_epoch and (last or (context.epoch + 1) % settings.eval_epoch == 0):
            entry |= evaluate(context.model, self.test_set)
        context.history.append({"epoch": context.epoch + 1, **entry, "seconds": time.perf_counter() - start})
        self._call("on_epoch_end", context)
        progress.epoch(context.history[-1])
        context.epoch += 1

    def _begin(self, context: Context) -> dict:
        """Let the strategies begin the epoch; tells what a cut left of top-1 before any training mends it."""
        left = {}
        for strategy in self.config.strategies:
            model = context.model
            _call_one(strategy, "on_epoch_begin", context)
            # Fake quantisers have no ranges to be tested with before their first batch.
            if context.model is not model and not strategy.quantizes and self.config.settings.eval_epoch:
                left = {"top1_after_cut": evaluate(context.model, self.test_set)["top1"]}
                context.say(f"{strategy.name}: test top-1 {left['top1_after_cut']:.2%}, before training mends it")
        return left

    def _train(self, context: Context, progress: Progress) -> dict:
        def loss(model, images, labels):
            self._call("on_batch_begin", context)
            return context.loss(model, images, labels)

        def on_batch(batch: Batch) -> None:
            context.batch = batch
            progress.batch(batch)
            self._call("on_batch_end", context)

        return train_epoch(
            context.model, context.optimizer, context.schedule, context.loader, context.epoch, loss, on_batch
        )

    def _finish(self, context: Context, out: Path, progress: Progress) -> Result:
        context.say(f"measuring both Programs on {len(self.test_set):,} test images")
        result = finish(self.config, context, out)
        if not self.quiet:
            progress.console.print(table(result.metrics))
        context.say(f"{verdict(result.metrics)}\nprogram.npz, model.npz, metrics.json and report.html are in {out}")
        return result

    @cached_property
    def identity(self) -> dict:
        """What this run is, by dotted name: a checkpoint or a result of another can't stand in for it."""
        return {
            **flat(self.config),
            "model": model_digest(self.original, self.example),
            "train_data": data_digest(self.train_set),
            "test_data": data_digest(self.test_set),
            "teacher": None if self.teacher is None else model_digest(self.teacher, self.example),
        }


def _call_one(strategy: Strategy, hook: str, context: Context) -> None:
    try:
        getattr(strategy, hook)(context)
    except ValueError as error:
        raise ValueError(f"strategies.{strategy.name}: {error}") from error


def _how_to_go_on(finished: int, out: Path) -> str:
    where = f"after epoch {finished}" if finished else "before epoch 1"
    return f"the same command with --resume (resume=True) goes on {where}, in {out}"
