"""The Compressor: it trains a model, lets strategies change it on the way, freezes it, and measures what came of it."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from concurrent.futures import Executor
from functools import cached_property
from pathlib import Path

from tinyslim.data import Dataset, Loader
from tinyslim.nn import Module
from tinyslim.train import Progress, TrainingDivergedError, canonical, data_digest, model_digest

from .checkpoint import write_checkpoint
from .config import Config, read_config
from .context import Context
from .epoch import run_epoch
from .finish import Result, finish
from .fitting import check_fit
from .folder import CHECKPOINT
from .hooks import Hooks
from .identity import flat
from .measure import table, verdict
from .opening import how_to_go_on, open_run
from .plan import plan
from .rates import schedule


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
    callbacks : iterable, optional
        Functions named after a hook (``def on_epoch_end(context)``), and objects with such methods: called after the
        strategies, with a context that they can only look at.
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
    TypeError
        When a callback has no hook.

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
    ('int8', ['best.npz', 'model.npz', 'program.npz'])
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
        callbacks: Iterable = (),
        resume: bool = False,
        quiet: bool = False,
    ):
        self.config: Config = read_config(config)
        self.hooks = Hooks(self.config.strategies, callbacks)
        self.train_set, self.test_set, self.teacher, self.executor = train_data, test_data, teacher, executor
        self.wish = Path(out) if out is not None else Path("runs", self.config.name)
        self.resume, self.quiet = resume, quiet
        self.original = copy.deepcopy(model).eval()
        if self.original.preprocessing is None:
            self.original.preprocessing = (train_data.mean, train_data.std)
        self.example = train_data.normalized(slice(0, 1), self.original.preprocessing)
        check_fit(self.original, self.example, train_data, test_data)

    def run(self) -> Result:
        """Train, freeze, measure, and leave it all in `out`.

        The files are program.npz; model.npz, what it was frozen from; best.npz, the model of the epoch that did best on
        the test images since the last cut or quantisation (what they chose they can no longer judge, so it is not the
        result); metrics.json, config.json, report.html, compression.png.

        Raises
        ------
        TrainingDivergedError
            When the loss is no longer finite; the checkpoint of the last good epoch stays.
        KeyboardInterrupt
            After Ctrl-C, with a message that says how to go on.
        """
        with Progress(self.config.settings.epochs, self.quiet) as progress:
            context = self._context(progress)
            self.hooks("on_compression_begin", context)
            context.folder = out = open_run(self.wish, self.resume, self.config, context, self.identity)
            context.say(plan(self.config, context, self.train_set, out))
            try:
                while context.epoch < self.config.settings.epochs:
                    run_epoch(context, self.hooks, progress)
                    write_checkpoint(out / CHECKPOINT, context, self.identity)
                context.model.eval()
                self.hooks("on_compression_end", context)
                return self._finish(context, out, progress)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(how_to_go_on(context.epoch, out)) from None
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
