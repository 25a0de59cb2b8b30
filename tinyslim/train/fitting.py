"""Training from the first epoch to the last: schedule, checkpoints, resume."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tinyslim import optim
from tinyslim.data import Loader
from tinyslim.files import write_text_atomically
from tinyslim.nn import Module

from .archive import arrays_under, read_archive, write_archive
from .loop import Loss, label_loss, train_epoch
from .metrics import evaluate
from .progress import Progress
from .saving import save


@dataclass(frozen=True)
class Recipe:
    """All that the weights follow from, beside the model and the data."""

    epochs: int
    batch_size: int
    lr: float
    seed: int
    momentum: float
    nesterov: bool
    weight_decay: float
    schedule: str
    augment: str | None
    label_smoothing: float

    def __post_init__(self):
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` (={getattr(self, name)!r}) must be at least 1")

    def optimizer(self, model: Module) -> optim.SGD:
        """SGD over the parameters of `model`."""
        return optim.SGD(model.parameters(), self.lr, self.momentum, self.nesterov, self.weight_decay)


def fit(
    model: Module,
    train_set,
    epochs: int,
    batch_size: int = 64,
    lr: float = 0.1,
    seed: int = 0,
    test_set=None,
    out=None,
    *,
    momentum: float = 0.9,
    nesterov: bool = True,
    weight_decay: float = 5e-4,
    schedule: str = "one_cycle",
    augment: str | None = None,
    label_smoothing: float = 0.0,
    loss: Loss | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> list[dict]:
    """Train `model` in place by SGD.

    Parameters
    ----------
    model : Module
        Gets the training set's mean and std as its `preprocessing`, if it has none.
    train_set, test_set : Dataset
        With a `test_set`, each epoch ends with its top-1, top-5 and loss.
    epochs, batch_size : int
    lr : float
        The schedule's largest learning rate.
    seed : int
        Order of the images and augmentation follow from it: the same seed gives the same weights.
    out : str or Path, optional
        A folder for ``checkpoint.npz`` (after each epoch), ``model.npz`` and ``history.json`` (at the end).
    momentum, nesterov, weight_decay
        See `optim.SGD`.
    schedule : str
        One of `optim.SCHEDULES`.
    augment : str, optional
        "pad_crop_flip" or "shift_flip"; see `data.Loader`.
    label_smoothing : float
    loss
        Another loss than cross-entropy with the labels: (model, images, labels) → (loss, logits).
    resume : bool
        Go on from the checkpoint in `out`, if there is one.
    quiet : bool
        Print nothing.

    Returns
    -------
    list of dict
        One entry an epoch.

    Raises
    ------
    TrainingDivergedError
        When the loss is no longer finite; the checkpoint of the last good epoch stays.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import data, nn, train
    >>> pixels = data.Dataset(np.arange(4 * 64).reshape(4, 8, 8, 1).astype(np.uint8), [0, 1, 0, 1], ["even", "odd"])
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(4, 2))
    >>> history = train.fit(net, pixels, epochs=2, batch_size=2, quiet=True)
    >>> [entry["epoch"] for entry in history]
    [1, 2]
    """
    if getattr(loss, "learns", False):
        raise ValueError(
            "`loss` learns projections, which `fit` would not train: use a Compressor, or a loop of your own"
        )
    recipe = Recipe(
        epochs, batch_size, lr, seed, momentum, nesterov, weight_decay, schedule, augment, label_smoothing
    )  # fmt: skip
    if model.preprocessing is None:
        model.preprocessing = (train_set.mean, train_set.std)
    loader = Loader(train_set, batch_size, seed=seed, augment=augment, preprocessing=model.preprocessing)
    optimizer = recipe.optimizer(model)
    rates = optim.by_name(schedule, lr, epochs * len(loader))
    checkpoint = None if out is None else Path(out, "checkpoint.npz")
    history = read_checkpoint(checkpoint, recipe, model, optimizer) if resume and checkpoint else []
    with Progress(epochs, quiet) as progress:
        for epoch in range(len(history), epochs):
            start = time.perf_counter()
            entry = train_epoch(
                model, optimizer, rates, loader, epoch, loss or label_loss(label_smoothing), progress.batch
            )
            if test_set is not None:
                entry |= evaluate(model, test_set)
            history.append({"epoch": epoch + 1, **entry, "seconds": time.perf_counter() - start})
            progress.epoch(history[-1])
            if checkpoint:
                write_checkpoint(checkpoint, recipe, model, optimizer, history)
    model.eval()
    if out is not None:
        save(model, Path(out, "model.npz"), train_set.normalized(slice(0, 1), model.preprocessing))
        report = {"recipe": asdict(recipe), "history": history}
        write_text_atomically(Path(out, "history.json"), json.dumps(report, indent=1) + "\n")
    return history


def write_checkpoint(
    path: Path, recipe: Recipe, model: Module, optimizer: optim.Optimizer, history: list[dict]
) -> None:
    """Everything that the rest of the training follows from."""
    arrays = {f"model/{name}": array for name, array in model.state_dict().items()}
    arrays |= {f"optimizer/{name}": array for name, array in optimizer.state_dict().items()}
    write_archive(path, "training", {"recipe": asdict(recipe), "history": history}, arrays)


def read_checkpoint(path: Path, recipe: Recipe, model: Module, optimizer: optim.Optimizer) -> list[dict]:
    """Put `model` and `optimizer` where the checkpoint was; returns the history until there, [] without one."""
    if not path.exists():
        return []
    header, arrays = read_archive(path, "training")
    other = {name: old for name, old in header["recipe"].items() if old != asdict(recipe)[name]}
    if other:
        told = "; ".join(f"{name} was {old!r}, now {asdict(recipe)[name]!r}" for name, old in other.items())
        raise ValueError(f"the checkpoint {str(path)!r} belongs to another recipe: {told}")
    model.load_state_dict(arrays_under("model/", arrays))
    optimizer.load_state_dict(arrays_under("optimizer/", arrays))
    return header["history"]
