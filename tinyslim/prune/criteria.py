"""Which filters matter: a criterion gives each filter of a layer a number, and those with the smallest go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from .grouping import Group, layer_name
from .structure import Structure


@dataclass(frozen=True)
class Filters:
    """What a criterion may look at.

    Attributes
    ----------
    layer : str
    weight : numpy.ndarray
        (…, filters).
    batch_norm_scale : numpy.ndarray or None
        γ of the batch norm right behind the layer, (filters,).
    rng : numpy.random.Generator
    """

    layer: str
    weight: np.ndarray
    batch_norm_scale: np.ndarray | None
    rng: np.random.Generator

    @property
    def rows(self) -> np.ndarray:
        """Each filter as a row of float64."""
        return self.weight.reshape(-1, self.weight.shape[-1]).T.astype(np.float64)


def l1_norm(filters: Filters) -> np.ndarray:
    """Σ|w| of each filter (Li et al. 2017, §3.1)."""
    return np.abs(filters.rows).sum(axis=1)


def l2_norm(filters: Filters) -> np.ndarray:
    """√Σw² of each filter (He et al. 2018, eq. 2 with p = 2)."""
    return np.sqrt((filters.rows**2).sum(axis=1))


def geometric_median(filters: Filters) -> np.ndarray:
    """Σⱼ ‖wᵢ − wⱼ‖₂: a filter near to all others can be replaced by them (FPGM, He et al. 2019, eq. 6)."""
    rows = filters.rows
    squares = (rows**2).sum(axis=1)
    # ‖a − b‖² = ‖a‖² + ‖b‖² − 2ab; rounding may leave a little less than 0.
    distances = np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0)
    return np.sqrt(distances).sum(axis=1)


def batch_norm_scale(filters: Filters) -> np.ndarray:
    """|γ| of the batch norm behind each filter (network slimming, Liu et al. 2017, §3)."""
    if filters.batch_norm_scale is None:
        raise ValueError(
            f"`criterion` (='batch_norm_scale') needs a batch norm right behind {filters.layer}; it has none"
        )
    return np.abs(filters.batch_norm_scale).astype(np.float64)


def random(filters: Filters) -> np.ndarray:
    """Numbers that follow from the seed alone: the control row of every comparison."""
    return filters.rng.random(filters.weight.shape[-1])


#: Every criterion by name.
CRITERIA: dict[str, Callable[[Filters], np.ndarray]] = {
    "l1_norm": l1_norm,
    "l2_norm": l2_norm,
    "geometric_median": geometric_median,
    "batch_norm_scale": batch_norm_scale,
    "random": random,
}

#: A name from `CRITERIA`, or a function from a weight (…, filters) to one number a filter.
Criterion = str | Callable[[np.ndarray], np.ndarray]


def find_criterion(criterion: Criterion) -> Callable[[Filters], np.ndarray]:
    """The function behind a criterion's name; a user's function of the weight is one as well."""
    if callable(criterion):
        return lambda filters: criterion(filters.weight)
    if criterion not in CRITERIA:
        raise ValueError(f"`criterion` (={criterion!r}) must be a function or one of {', '.join(CRITERIA)}")
    return CRITERIA[criterion]


def rank(structure: Structure, chosen: Iterable[Group], criterion: Criterion, seed: int) -> dict[str, np.ndarray]:
    """For each chosen group its channels, the least important first; of equal ones the first goes first."""
    scores = channel_scores(structure, chosen, criterion, seed)
    return {name: np.argsort(own, kind="stable") for name, own in scores.items()}


def channel_scores(
    structure: Structure, chosen: Iterable[Group], criterion: Criterion = "l1_norm", seed: int = 0
) -> dict[str, np.ndarray]:
    """For each chosen group one number a channel, float64: the smallest go first.

    Each layer's scores are divided by the mean of their sizes. Where several layers make a channel together (the
    branches of a residual add), its score is the sum of theirs: undivided, the branch with the larger weights would
    decide alone.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import nn, prune
    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3))
    >>> net.get("0").weight.data[:] = [1.0, 2.0]
    >>> structure = prune.read_structure(net, np.zeros((1, 7, 7, 1)))
    >>> prune.channel_scores(structure, structure.groups)
    {'0': array([0.66666667, 1.33333333])}
    """
    score, rng = find_criterion(criterion), np.random.default_rng(seed)
    weights = {axis.path: structure.channels.parameters[axis.path].data for axis in structure.channels.makers()}
    scores, chosen = {}, list(chosen)
    wanted = {member.path for group in chosen for member in group.makers}
    for path in (path for path in weights if path in wanted):
        filters = Filters(layer_name(path), weights[path], _scale_behind(structure, path), rng)
        scores[path] = _checked(score(filters), filters)
    return {group.name: _group_scores(group, scores) for group in chosen}


def _checked(scores, filters: Filters) -> np.ndarray:
    scores = np.asarray(scores, np.float64)
    if scores.shape != filters.weight.shape[-1:] or not np.isfinite(scores).all():
        raise ValueError(
            f"the criterion gave {filters.layer} scores of shape {scores.shape}, "
            f"expected {filters.weight.shape[-1:]}: one finite number a filter"
        )
    return scores


def _group_scores(group: Group, scores: dict[str, np.ndarray]) -> np.ndarray:
    total = np.zeros(group.width)
    for member in group.makers:
        here = member.channels >= 0
        own = scores[member.path][here]
        mean = np.abs(own).mean()
        total += np.bincount(member.channels[here], own / mean if mean else own, minlength=group.width)
    return total


def _scale_behind(structure: Structure, path: str) -> np.ndarray | None:
    graph = structure.graph
    for node, weight in structure.channels.weights.items():
        for user in graph.users(node) if weight == path else ():
            if user.op == "batch_norm":
                gamma = graph.tensor(user, "weight", 1)
                return None if gamma is None else gamma.data
    return None
