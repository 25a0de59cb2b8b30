"""What will be done, in words, before it is."""

from __future__ import annotations

from pathlib import Path

from tinyslim.graph import summary

from .config import Config
from .context import Context
from .strategy import Strategy


def plan(config: Config, context: Context, train_set, out: Path) -> str:
    """The lines that are printed before a compression starts.

    Epochs are told as progress lines tell them, from 1.
    """
    settings = config.settings
    counts = summary(context.original, context.example)
    lines = [
        f"{config.name}: {settings.epochs} epochs of {len(train_set):,} images in batches of {settings.batch_size}, "
        f"learning rate {settings.lr:g} ({settings.schedule}), seed {settings.seed}",
        f"  from a model of {counts.params:,} parameters and {counts.flops:,} FLOPs an image, to {out}",
    ]
    width = max((len(strategy.name) for strategy in config.strategies), default=0)
    for strategy in config.strategies:
        when = _when(strategy, settings.epochs)
        again = "" if strategy.lr is None else f"; a new schedule begins at {strategy.lr:g}"
        lines.append(f"  {strategy.name:<{width}}  {when}: {strategy.describe(context)}{again}")
    return "\n".join(lines)


def _when(strategy: Strategy, total: int) -> str:
    replacing, own = strategy.replacing(total), strategy.epochs(total)
    if strategy.instant and len(replacing) == 1:
        return f"before epoch {strategy.start_epoch + 1}"
    if strategy.instant:
        first, *middle, last = (str(epoch + 1) for epoch in replacing)
        return f"before epochs {f'{first}–{last}' if replacing.step == 1 else ', '.join([first, *middle, last])}"
    return f"epoch {own[0] + 1}" if len(own) == 1 else f"epochs {own[0] + 1}–{own[-1] + 1}"
