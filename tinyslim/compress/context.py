"""What strategies see and change."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tinyslim.autograd import Tensor
from tinyslim.data import Dataset, Loader
from tinyslim.graph import GraphModule
from tinyslim.nn import Module
from tinyslim.optim import Optimizer, Schedule
from tinyslim.train import Batch, Loss, canonical, label_loss

from .settings import CompressorSettings


@dataclass
class Context:
    """The state of a compression.

    Attributes
    ----------
    settings : CompressorSettings
    original : Module
        The model as it came, in eval mode: not to be changed.
    model : GraphModule
        The one that trains; see `replace_model`.
    example : numpy.ndarray
        One normalised image, (1, h, w, c).
    train_set, test_set : Dataset
    loader : Loader
        The batches of `train_set` as they are trained on.
    teacher : Module or None
        What was handed to ``Compressor(teacher=…)``.
    executor : concurrent.futures.Executor or None
        Where strategies run trials that don't depend on each other; None: in this process.
    folder : Path or None
        Where the run leaves its files: a strategy that works for long keeps what it has found there, and a resumed run
        finds it. None until the first epoch.
    optimizer : Optimizer
        Always that of `model`, and of what is trained beside it.
    beside : dict of dict of Tensor
        By the strategies' names: what the optimizer moves though it is no part of the model; see `train_beside`.
    schedule : Schedule
        The learning rate by the number of the step.
    loss : Loss
        Of this epoch: set back to the labels' before each, then strategies may wrap it.
    epoch : int
    batch : Batch or None
        The last one that was trained on.
    history : list of dict
        One entry a finished epoch.
    best : dict or None
        ``epoch`` (from 1) and ``top1`` of the model in best.npz: the best on the test images since the model was last
        replaced, for a network before a cut, or before it was quantised, is another.
    state : dict of dict
        By the strategies' names: numbers, strings, lists of them and arrays, saved in every checkpoint.
    objects : dict of dict
        By the strategies' names, whatever they like: not saved.
    say
        Prints a line.
    track
        Moves the bar of work that goes on between epochs: how much is done, of how much, and what it is.
    """

    settings: CompressorSettings
    original: Module
    model: GraphModule
    example: np.ndarray
    train_set: Dataset
    test_set: Dataset
    loader: Loader
    schedule: Schedule
    teacher: Module | None = None
    executor: Executor | None = None
    folder: Path | None = None
    say: Callable[[str], None] = lambda text: None
    track: Callable[[int, int, str], None] = lambda done, of, text: None
    epoch: int = 0
    batch: Batch | None = None
    history: list[dict] = field(default_factory=list)
    best: dict | None = None
    state: dict[str, dict] = field(default_factory=dict)
    objects: dict[str, dict] = field(default_factory=dict)
    beside: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    between_epochs: bool = True

    def __post_init__(self):
        self.renew_optimizer()
        self.reset_loss()

    def renew_optimizer(self) -> None:
        """Begin with an optimizer whose buffers are empty."""
        self.optimizer: Optimizer = self.settings.optimizer(self.model)
        self.optimizer.exchange(self._trained())

    def train_beside(self, name: str, parameters: dict[str, Tensor]) -> None:
        """Let the optimizer move `parameters`, too, from this step on; they are saved in checkpoints, not in the model.

        Parameters
        ----------
        name : str
            Of the strategy; what it gave before, and gives no more, is no longer trained.
        parameters : dict of Tensor
            By name. After a resume they lie in ``context.beside[name]`` as they were.
        """
        self.beside[name] = dict(parameters)
        self.optimizer.exchange(self._trained())

    def _trained(self) -> list[Tensor]:
        return [*self.model.parameters(), *(p for own in self.beside.values() for p in own.values())]

    def reset_loss(self) -> None:
        """Let the loss be that of the labels again."""
        self.loss: Loss = label_loss(self.settings.label_smoothing)

    def replace_model(self, model: GraphModule) -> None:
        """Train `model` from now on, with a new optimizer: momentum of other weights means nothing to it.

        Raises
        ------
        ValueError
            In the middle of an epoch.
        """
        if not self.between_epochs:
            raise ValueError(
                "the model can be replaced before or after the batches of an epoch, not between two of them"
            )
        self.model = canonical(model, self.example)
        self.renew_optimizer()
        self.best = None
