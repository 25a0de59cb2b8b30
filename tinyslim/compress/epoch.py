"""One epoch of a compression: strategies begin it, the model is trained and tested, and what came of it is written."""

from __future__ import annotations

import time

from tinyslim.train import Batch, Progress, evaluate, save, train_epoch

from .context import Context
from .folder import BEST
from .hooks import Hooks


def run_epoch(context: Context, hooks: Hooks, progress: Progress) -> None:
    """Train ``context.model`` for the epoch ``context.epoch``; then that is the next one."""
    start = time.perf_counter()
    settings = context.settings
    context.reset_loss()
    entry = _begin(context, hooks)
    context.between_epochs = False
    entry |= _train(context, hooks, progress)
    context.between_epochs = True
    last = context.epoch + 1 == settings.epochs
    if settings.eval_epoch and (last or (context.epoch + 1) % settings.eval_epoch == 0):
        entry |= evaluate(context.model, context.test_set)
        _keep_if_best(context, entry["top1"])
    context.history.append({"epoch": context.epoch + 1, **entry, "seconds": time.perf_counter() - start})
    hooks("on_epoch_end", context)
    progress.epoch(context.history[-1])
    context.epoch += 1


def _begin(context: Context, hooks: Hooks) -> dict:
    """Let the strategies begin the epoch; tells what a cut left of top-1 before any training mends it."""
    left = {}
    for strategy in hooks.strategies:
        model = context.model
        hooks.call_one(strategy, "on_epoch_begin", context)
        if context.model is model:
            continue
        if context.epoch not in strategy.replacing(context.settings.epochs):
            raise ValueError(
                f"strategies.{strategy.name} replaced the model in epoch {context.epoch}, but its `replacing` does not "
                "name that epoch, so nobody could check the order of the strategies"
            )
        # Fake quantisers have no ranges to be tested with before their first batch.
        if not strategy.quantizes and context.settings.eval_epoch:
            left = {"top1_after_cut": evaluate(context.model, context.test_set)["top1"]}
            context.say(f"{strategy.name}: test top-1 {left['top1_after_cut']:.2%}, before training mends it")
    hooks.show("on_epoch_begin", context)
    return left


def _train(context: Context, hooks: Hooks, progress: Progress) -> dict:
    def loss(model, images, labels):
        hooks("on_batch_begin", context)
        return context.loss(model, images, labels)

    def on_batch(batch: Batch) -> None:
        context.batch = batch
        progress.batch(batch)
        hooks("on_batch_end", context)

    return train_epoch(
        context.model, context.optimizer, context.schedule, context.loader, context.epoch, loss, on_batch
    )


def _keep_if_best(context: Context, top1: float) -> None:
    """Write the model to best.npz if it beats all since it was last replaced.

    The file comes before the checkpoint that tells of it: killed between the two, the epoch is run again, and ends in
    the same file.
    """
    if context.best is None or top1 > context.best["top1"]:
        context.best = {"epoch": context.epoch + 1, "top1": top1}
        save(context.model, context.folder / BEST)
