"""How good are the answers: top-1, top-5, and whether a difference between two models is real."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import tinyslim.functional as F
from tinyslim.autograd import Tensor, no_grad
from tinyslim.graph import evaluating

BATCH = 250


def predict(model, dataset) -> np.ndarray:
    """The logits for every image of `dataset`, in order: (n, classes) float32.

    Parameters
    ----------
    model : Module or Program
        A Module gets images normalised by its own `preprocessing` (the data set's where it has none);
        a Program gets the uint8 images as they are.
    dataset : Dataset

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import data, nn, train
    >>> pixels = data.Dataset(np.zeros((4, 8, 8, 1), np.uint8), [0, 1, 0, 1], ["even", "odd"])
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(4, 2))
    >>> train.predict(net, pixels).shape
    (4, 2)
    """
    parts = [slice(start, min(start + BATCH, len(dataset))) for start in range(0, len(dataset), BATCH)]
    if hasattr(model, "run"):
        return np.concatenate([model.run(dataset.images[part]) for part in parts])
    with no_grad(), evaluating(model):
        return np.concatenate([model(dataset.normalized(part, model.preprocessing)).data for part in parts])


def in_top(logits: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """For each row, whether fewer than `k` other classes have a logit at least as large as the label's: (n,) bool.

    A tie counts against the model: one that gives every class the same logit has learned nothing. So does NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import train
    >>> logits = np.array([[1.0, 3.0, 2.0], [1.0, 3.0, 2.0]])
    >>> train.in_top(logits, np.array([1, 2]), k=1)
    array([ True, False])
    """
    own = logits[np.arange(len(labels)), labels][:, None]
    # "Not below" rather than "at least": every comparison with NaN is false, and a NaN is never right.
    return (~(logits < own)).sum(axis=1) - 1 < k


def scores(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """top1 and top5 as shares from 0 to 1, and the mean cross-entropy.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import train
    >>> found = train.scores(np.array([[9.0, 0.0], [0.0, 9.0]]), np.array([0, 0]))
    >>> float(found["top1"]), round(float(found["loss"]), 3)
    (0.5, 4.5)
    """
    return {
        "top1": float(in_top(logits, labels, 1).mean()),
        "top5": float(in_top(logits, labels, 5).mean()),
        "loss": float(F.cross_entropy(Tensor(logits), labels)),
    }


def evaluate(model, test_set) -> dict[str, float]:
    """top1 and top5 as shares from 0 to 1, and the mean cross-entropy, of a Module or a Program on a data set.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import data, nn, train
    >>> pixels = data.Dataset(np.zeros((4, 8, 8, 1), np.uint8), [0, 1, 0, 1], ["even", "odd"])
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(4, 2))
    >>> sorted(train.evaluate(net, pixels))
    ['loss', 'top1', 'top5']
    """
    return scores(predict(model, test_set), test_set.labels)


@dataclass(frozen=True)
class Difference:
    """top-1 after minus top-1 before, on the same images.

    Attributes
    ----------
    change : float
    low, high : float
        The 95 % interval of the change.
    p_value : float
        McNemar's: how likely so lopsided a split of the disagreements is, if both models are equally good.
    lost, won : int
        Images that only the first, and only the second model got right.
    """

    change: float
    low: float
    high: float
    p_value: float
    lost: int
    won: int


def top1_difference(before: np.ndarray, after: np.ndarray) -> Difference:
    """Is a difference in top-1 real, or what another draw of test images would give?

    Only images on which the two models disagree say anything. Exact McNemar test (McNemar 1947); the interval is
    Agresti and Min's for paired shares (2005: half a case added to each cell).

    Parameters
    ----------
    before, after : array of bool
        (n,), which images each model got right.
    """
    from scipy.stats import binomtest

    if before.shape != after.shape or before.ndim != 1 or not len(before):
        raise ValueError(
            f"`before` has shape {before.shape}, `after` {after.shape}, expected one entry an image in both"
        )
    n, lost, won = len(before), int((before & ~after).sum()), int((~before & after).sum())
    p_value = float(binomtest(won, lost + won, 0.5).pvalue) if lost + won else 1.0
    size, shift = n + 2, (won - lost) / (n + 2)
    spread = np.sqrt(((lost + won + 1) / size - shift**2) / size)
    return Difference((won - lost) / n, float(shift - 1.96 * spread), float(shift + 1.96 * spread), p_value, lost, won)
