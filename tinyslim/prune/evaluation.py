"""What a cut costs: one trial cuts, evaluates, and says how sure its score is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np

from tinyslim.data import Dataset
from tinyslim.data.naming import data_sets
from tinyslim.nn import Module
from tinyslim.train import data_digest, from_bytes, in_top, predict

from .criteria import Criterion, rank
from .cutting import cut_structure
from .grouping import Group
from .planning import choose_groups
from .recalibration import recalibrate_batch_norm
from .stepping import keep_by_ratios
from .structure import Structure, read_structure

#: Gives a model's score as a share from 0 to 1, or one number an image, (n,), whose mean is the score: 1 for a hit, 0
#: for a miss. Only with the latter are standard errors known.
Evaluate = Callable[[Module], float | np.ndarray]

#: Images in a batch that batch norm is measured on anew.
RECALIBRATION_BATCH = 128


class SubsetTop1:
    """top-1 on a fixed subset of a data set, an image at a time; can be sent to other processes.

    Every model that is compared sees the same images, so a difference of two scores is much surer than either score:
    what remains are the images on which the two models disagree.

    Parameters
    ----------
    dataset : Dataset or str
        A name as `data.load` knows it, or a folder with train/CLASS/*.png and test/CLASS/*.png: its training set, since
        what is chosen by its test images can't be judged by them any more. A worker loads it by itself, once; a Dataset
        is sent along, as far as it is in use.
    images : int
        How many, spread evenly over the classes; all, if there are fewer.
    seed : int
        Of the draw.
    recalibration_batches : int
        So many batches of 128 of the data set's images, drawn with the same seed, give batch norm its statistics anew
        before a model is evaluated. By default, as in PaddleSlim, it keeps the statistics of the whole network: then
        a score holds both what the channels are worth and what their absence does to the normalisation behind them,
        and the loss looks larger than fine-tuning would leave it.

    Examples
    --------
    >>> from tinyslim import models
    >>> evaluate = SubsetTop1("fashion_mnist_mini", images=50)
    >>> evaluate.identity
    'top-1 on Dataset(50 images of 28×28×1, 10 classes), sha256 d3cfb83d6b7270fd'
    >>> evaluate(models.resnet20(in_channels=1, pretrained="fashion_mnist")).shape
    (50,)
    """

    def __init__(
        self, dataset: Dataset | str, images: int = 2000, seed: int = 0, recalibration_batches: int = 0
    ) -> None:
        self.name = dataset if isinstance(dataset, str) else None
        self.images, self.seed, self.recalibration_batches = images, seed, recalibration_batches
        self._parts = None if self.name else self._draw(dataset)

    def _draw(self, whole: Dataset) -> tuple[Dataset, Dataset | None]:
        """The images that are scored, and those that batch norm sees."""
        scored = whole.subset(min(self.images, len(whole)), self.seed)
        seen = self.recalibration_batches * RECALIBRATION_BATCH
        return scored, whole.subset(min(seen, len(whole)), self.seed) if seen else None

    @property
    def parts(self) -> tuple[Dataset, Dataset | None]:
        """The images that are scored, and those that batch norm sees."""
        if self._parts is None:
            self._parts = self._draw(_training_set(self.name))
        return self._parts

    def __getstate__(self) -> dict:
        return self.__dict__ | ({"_parts": None} if self.name else {})

    @property
    def identity(self) -> str:
        """What is measured, down to the bytes of the images."""
        scored, seen = self.parts
        behind = f", batch norm measured on {data_digest(seen)}" if seen else ""
        return f"top-1 on {data_digest(scored)}{behind}"

    def __call__(self, model: Module) -> np.ndarray:
        """1.0 for each image that the model gets right, 0.0 for each other: (n,) float64."""
        scored, seen = self.parts
        if seen:
            starts = range(0, len(seen), RECALIBRATION_BATCH)
            batches = (slice(start, start + RECALIBRATION_BATCH) for start in starts)
            recalibrate_batch_norm(model, (seen.normalized(batch, model.preprocessing) for batch in batches))
        return in_top(predict(model, scored), scored.labels, 1).astype(np.float64)


@lru_cache(maxsize=1)
def _training_set(name: str) -> Dataset:
    return data_sets(name)[0]


def called(function: Callable | str | None) -> str | None:
    """What tells one criterion or evaluation from another in a file: its `identity` where it has one, else its name."""
    if function is None or isinstance(function, str):
        return function
    name = f"{function.__module__}.{getattr(function, '__qualname__', type(function).__qualname__)}"
    return getattr(function, "identity", name)


def trial(
    model_bytes: bytes,
    example_shape: tuple[int, ...],
    evaluate: Evaluate,
    criterion: Criterion,
    pruned_params: str,
    seed: int,
    round_to: int,
    ratios: Mapping[str, float],
) -> float | np.ndarray:
    """Cut a network to `ratios` and evaluate it: a function of its arguments alone, for `run_trials`.

    Parameters
    ----------
    model_bytes : bytes
        As `train.to_bytes` gives them.
    example_shape : tuple of int
        Of a batch that the model takes, (n, h, w, c).
    evaluate : Evaluate
        May change the model that it is given.
    criterion, pruned_params, seed, round_to
        See `uniform`.
    ratios : dict
        For each group that is cut, by name, the share of its channels that goes, to the nearest width.

    Returns
    -------
    float or numpy.ndarray
        What `evaluate` returned, checked: one number, or one an image.
    """
    structure, chosen, order = _read(model_bytes, example_shape, criterion, pruned_params, seed)
    keep = keep_by_ratios(chosen, order, ratios, round_to)
    return _checked(evaluate(cut_structure(structure, structure.mask(keep))))


@lru_cache(maxsize=2)
def _read(
    model_bytes: bytes, example_shape: tuple[int, ...], criterion: Criterion, pruned_params: str, seed: int
) -> tuple[Structure, list[Group], dict[str, np.ndarray]]:
    """What all trials of a network share; a worker finds it out once."""
    structure = read_structure(from_bytes(model_bytes), np.zeros(example_shape, np.float32))
    chosen = choose_groups(structure, pruned_params)
    return structure, chosen, rank(structure, chosen, criterion, seed)


def _checked(scores) -> float | np.ndarray:
    scores = np.asarray(scores, np.float64)
    if scores.ndim > 1 or not scores.size or not np.isfinite(scores).all():
        raise ValueError(
            f"`evaluate` returned an array of shape {scores.shape}, expected one finite number, or one an image (n,)"
        )
    return scores if scores.ndim else float(scores)


def score_and_loss(scores: float | np.ndarray, baseline: float | np.ndarray) -> tuple[float, float, float]:
    """The mean score, by how much it lies below that of `baseline`, and the standard error of that loss.

    Both were shown the same images, so the error is that of the mean of their differences, image by image:
    √(Σ(d − mean d)²/(n − 1)/n). NaN where `evaluate` gives one number and says nothing of its images.

    Examples
    --------
    >>> score_and_loss(np.array([1.0, 0, 1, 0]), np.array([1.0, 1, 1, 0]))
    (0.5, 0.25, 0.25)
    >>> score_and_loss(0.5, 0.75)
    (0.5, 0.25, nan)
    """
    if np.shape(scores) != np.shape(baseline):
        raise ValueError(f"`evaluate` returned shape {np.shape(scores)}, and {np.shape(baseline)} before the cut")
    difference = np.atleast_1d(np.subtract(baseline, scores))
    n = len(difference)
    error = float(difference.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    return float(np.mean(scores)), float(difference.mean()), error
