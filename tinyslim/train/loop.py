"""One epoch of training, and what it means that it went wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import tinyslim.functional as F
from tinyslim.autograd import Tensor
from tinyslim.nn import Module
from tinyslim.optim import Optimizer, Schedule

from .metrics import in_top

#: From (model, images, labels) to the loss and the model's logits.
Loss = Callable[[Module, np.ndarray, np.ndarray], tuple[Tensor, Tensor]]


class TrainingDivergedError(ValueError):
    """The loss became infinite or not a number."""


@dataclass(frozen=True)
class Batch:
    """What is known after a step, for progress bars and hooks."""

    epoch: int
    index: int
    count: int
    lr: float
    loss: float
    top1: float


def label_loss(label_smoothing: float = 0.0) -> Loss:
    """Cross-entropy with the labels."""

    def loss(model: Module, images: np.ndarray, labels: np.ndarray) -> tuple[Tensor, Tensor]:
        logits = model(images)
        return F.cross_entropy(logits, labels, label_smoothing), logits

    return loss


# NumPy would warn of an overflow on the way to the loss that is checked here; the error alone shall speak.
@np.errstate(over="ignore", invalid="ignore")
def train_epoch(
    model: Module,
    optimizer: Optimizer,
    schedule: Schedule,
    loader,
    epoch: int,
    loss: Loss,
    on_batch: Callable[[Batch], None] = lambda batch: None,
) -> dict[str, float]:
    """Show `model` every image once, a step a batch.

    Parameters
    ----------
    model : Module
    optimizer : Optimizer
    schedule : Schedule
        Learning rate by the number of the step, counted from the first epoch on.
    loader : data.Loader
    epoch : int
        From 0; the order of the images follows from it.
    loss : Loss
    on_batch
        Called after each step.

    Returns
    -------
    dict
        Mean ``train_loss`` and ``train_top1`` over the epoch, and the last ``lr``.

    Raises
    ------
    TrainingDivergedError
        With the epoch, the batch and the learning rate, before the step that a bad loss would have made.
    """
    model.train()
    total_loss = total_right = seen = 0.0
    for index, (images, labels) in enumerate(loader.epoch(epoch)):
        optimizer.lr = schedule(epoch * len(loader) + index)
        optimizer.zero_grad()
        value, logits = loss(model, images, labels)
        number = float(value)
        if not np.isfinite(number):
            raise TrainingDivergedError(
                f"the loss is {number} in epoch {epoch + 1}, batch {index + 1} of {len(loader)}, "
                f"at a learning rate of {optimizer.lr:.3g}; a lower `lr` may help"
            )
        value.backward()
        right = float(in_top(logits.data, labels, 1).sum())
        # The tape holds every activation of this step: let it go before the next forward pass fills memory again.
        del value, logits
        optimizer.step()
        total_loss, total_right, seen = total_loss + number * len(labels), total_right + right, seen + len(labels)
        on_batch(Batch(epoch, index, len(loader), optimizer.lr, number, right / len(labels)))
    return {"train_loss": total_loss / seen, "train_top1": total_right / seen, "lr": optimizer.lr}
