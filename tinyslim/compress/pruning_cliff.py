"""The cliff: how far top-1 falls for each share of the FLOPs that is cut away, and what brings it back.

The first lab of MIT 6.5940 cuts a trained network in three ways: its last channels go; those of the smallest norm go;
and then it is trained on. Here stand two more between them: chance as the criterion, and batch norm's statistics
measured anew, which takes no training at all. Last, chance is trained on as well: how much was the sorting worth?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice

import numpy as np

from tinyslim import prune, train
from tinyslim.data import Dataset, Loader
from tinyslim.nn import Module
from tinyslim.prune.criteria import Criterion

from .cliff_record import Cliff, CliffPoint
from .fitting import check_fit


@dataclass(frozen=True)
class Mending:
    """How a cut network is mended: batch norm's statistics from so many batches, then so many epochs of SGD."""

    epochs: int = 2
    batch_size: int = 128
    lr: float = 0.05
    batches: int = 10


#: Changes a cut network in place; takes it, the training set, how, and the seed.
Mend = Callable[[Module, Dataset, Mending, int], None]


def leave(model: Module, train_set: Dataset, mending: Mending, seed: int) -> None:
    """The cut network as it is."""


def re_estimate(model: Module, train_set: Dataset, mending: Mending, seed: int) -> None:
    """Batch norm's mean and variance as they are in the narrower network; see `prune.recalibrate_batch_norm`."""
    loader = Loader(train_set, mending.batch_size, seed=seed, preprocessing=model.preprocessing)
    prune.recalibrate_batch_norm(model, (images for images, _ in islice(loader.epoch(0), mending.batches)))


def fine_tune(model: Module, train_set: Dataset, mending: Mending, seed: int) -> None:
    """Batch norm re-estimated, then every weight trained on."""
    re_estimate(model, train_set, mending, seed)
    train.fit(model, train_set, mending.epochs, mending.batch_size, mending.lr, seed, quiet=True)


def first_channels(weight: np.ndarray) -> np.ndarray:
    """A criterion that looks at no weight: the first channel is worth most, the last goes first.

    Examples
    --------
    >>> first_channels(np.zeros((3, 3, 16, 4)))
    array([ 0, -1, -2, -3])
    """
    return -np.arange(weight.shape[-1])


@dataclass(frozen=True)
class Row:
    """A way of cutting, and what is done to the network then.

    Attributes
    ----------
    name : str
    criterion : str or function
        As `prune.uniform` takes it.
    mend : Mend
    seeded : bool
        Whether another seed gives another number.
    """

    name: str
    criterion: Criterion
    mend: Mend = leave
    seeded: bool = True


ROWS = (
    Row("the first channels stay", first_channels, seeded=False),
    Row("random channels stay", "random"),
    Row("largest L1 norms stay", "l1_norm", seeded=False),
    Row("L1, batch norm re-estimated", "l1_norm", re_estimate),
    Row("L1, fine-tuned", "l1_norm", fine_tune),
    Row("random, fine-tuned", "random", fine_tune),
)

TARGETS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def cliff(
    model: Module,
    train_set: Dataset,
    test_set: Dataset,
    targets: Sequence[float] = TARGETS,
    seeds: Sequence[int] = (0,),
    mending: Mending | None = None,
    rows: Sequence[Row] = ROWS,
    path=None,
    on_point: Callable[[CliffPoint], None] = lambda point: None,
) -> Cliff:
    """Cut `model` uniformly to each of `targets` in each of the ways in `rows`, and measure top-1.

    Parameters
    ----------
    model : Module
        Trained; stays as it is.
    train_set, test_set : Dataset
        For mending, and for measuring.
    targets : sequence of float
        Shares of the FLOPs to remove, each above 0 and below 1.
    seeds : sequence of int
        Of random channels, of the order of the images, of the batches for batch norm.
    mending : Mending, optional
    rows : sequence of Row
    path : str or Path, optional
        A JSON file that is written whole after every point. If it is there, what it holds is not measured again.
    on_point
        Called with each point that was measured now.

    Raises
    ------
    ValueError
        When `path` holds the points of another model, other data or other settings: names what differs.
    """
    mending = mending or Mending()
    for name, given in (("targets", targets), ("rows", rows), ("seeds", seeds)):
        if not len(given):
            raise ValueError(f"`{name}` (={given!r}) must hold at least one")
    example = train_set.normalized(slice(0, 1), model.preprocessing)
    check_fit(model, example, train_set, test_set)
    # The widest cut first: a target out of reach must not come to light after minutes.
    prune.plan_uniform(model, example, max(targets))
    found = Cliff.open(_settings(model, example, train_set, test_set, mending, rows), path)
    if found.baseline is None:
        found.baseline = train.evaluate(model, test_set)["top1"]
    for row, seed, target in _cuts(rows, seeds, targets):
        if not found.has(row.name, target, seed):
            plan = prune.plan_uniform(model, example, target, row.criterion, seed=seed)
            smaller = plan.apply()
            row.mend(smaller, train_set, mending, seed)
            top1 = train.evaluate(smaller, test_set)["top1"]
            found.add(CliffPoint(row.name, target, seed, plan.achieved, top1))
            on_point(found.points[-1])
    return found


def _cuts(rows: Sequence[Row], seeds: Sequence[int], targets: Sequence[float]) -> Iterator[tuple[Row, int, float]]:
    """Every cut; a row that no seed changes is cut with the first alone."""
    for row in rows:
        yield from ((row, seed, target) for seed in (seeds if row.seeded else seeds[:1]) for target in targets)


def _settings(model: Module, example, train_set: Dataset, test_set: Dataset, mending, rows) -> dict:
    """All that a point follows from, beside its target and seed: more of those may be added to a record."""
    return {
        "model": train.model_digest(model, example),
        "train_set": train.data_digest(train_set),
        "test_set": train.data_digest(test_set),
        **asdict(mending),
        "rows": {row.name: [getattr(part, "__name__", part) for part in (row.criterion, row.mend)] for row in rows},
    }
