"""How much of an activation's range the integers should cover: four rules, each a function of its histogram.

A grid of `steps` steps above 0 reaches up to the clip T. A large T keeps every value and rounds all of them coarsely; a
small one rounds finely and cuts the few largest off.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from .histograms import BINS, Histogram

#: How many clips are tried; each is about 1 % above the one before.
CANDIDATES = 512


def abs_max(histogram: Histogram, steps: int) -> float:
    """T = max |x|: nothing is cut off."""
    return histogram.largest


def percentile(histogram: Histogram, steps: int, percentile: float = 99.99) -> float:
    """The smallest T for which `percentile` of a hundred values lie in [0, T], to the width of a bin."""
    enough = np.searchsorted(histogram.counts.cumsum(), histogram.total * percentile / 100)
    return min(histogram.edges[min(enough, BINS - 1)], histogram.largest)


def mse(histogram: Histogram, steps: int) -> float:
    """T = argmin Σ_i n_i·(x_i − x̂_i)²,  x̂_i = S·min(round(x_i/S), steps),  S = T/steps.

    x_i is the middle of bin i, n_i its count. What is rounded has an error of about S²/12, what is cut off one of
    (x_i − T)² (Sung et al. 2015, §3; Banner et al. 2019, eq. 1).
    """
    used = histogram.counts > 0
    n, x = histogram.counts[used], histogram.centres[used]
    clips = histogram.edges[candidate_bins(1) - 1]
    errors = []
    for clip in clips:
        step = clip / steps
        rounded = step * np.minimum(np.rint(x / step), steps)
        errors.append(n @ (x - rounded) ** 2)
    return min(clips[np.argmin(errors)], histogram.largest)


def kl(histogram: Histogram, steps: int) -> float:
    """T = argmin KL(P ‖ Q), P the values cut off at T, Q what `steps` + 1 integers keep of them (Migacz 2017).

    For each T = i·width,

        P = the first i bins, the last of which also counts all that lies beyond,
        Q = the first i bins in `steps` + 1 groups, each group's count spread evenly over those of its bins that P uses,
        KL(P ‖ Q) = Σ P·log(P/Q), both scaled to a sum of 1.

    Where only what was cut off fills P's last bin, Q has nothing, and an infinite divergence would let one outlier
    forbid every T below it; so Q counts one value there at least. Zeros are left out: each grid holds them exactly, and
    behind a ReLU they would outweigh all that a choice of T can change.

    It was made for smooth histograms and 8 bits. Where much of each image has one colour, every channel gives one
    number there; to blur such a spike costs more divergence than to cut many values off, and T comes out small. With
    few steps it does so in any network: `mse` then does better.
    """
    n = histogram.counts.astype(np.float64)
    n[0] = 0
    clips = candidate_bins(steps + 1)
    divergences = [divergence(n, i, steps + 1) for i in clips]
    return min(histogram.edges[clips[np.argmin(divergences)] - 1], histogram.largest)


def divergence(n: np.ndarray, i: int, groups: int) -> float:
    """KL(P ‖ Q) for a clip behind the first `i` bins of the counts `n`; infinite where nothing was counted."""
    p = n[:i].copy()
    p[-1] += n[i:].sum()
    used = p > 0
    starts = np.arange(groups) * i // groups
    members = np.maximum(np.add.reduceat(used.astype(np.float64), starts), 1)
    q = np.repeat(np.add.reduceat(n[:i], starts) / members, np.diff(starts, append=i))
    if not used.any():
        return np.inf
    p, q = p[used], np.maximum(q[used], 1)
    p, q = p / p.sum(), q / q.sum()
    return float(p @ np.log(p / q))


def candidate_bins(least: int) -> np.ndarray:
    """How many bins lie below each clip that is tried: from `least` to all, in steps of a few per cent at most."""
    return np.unique(np.rint(np.geomspace(least, BINS, CANDIDATES)).astype(np.int64))


#: From a histogram and the number of steps above 0 to the clip.
Search = Callable[[Histogram, int], float]
#: By the names that `calibrate` takes.
METHODS: dict[str, Search] = {"abs_max": abs_max, "percentile": percentile, "mse": mse, "kl": kl}


def search(method: str, share: float) -> Search:
    """The rule called `method`; `share` is the percentile's."""
    if method not in METHODS:
        raise ValueError(f"`method` (={method!r}) must be one of {', '.join(METHODS)}")
    if not isinstance(share, int | float) or not 0 < share <= 100:
        raise ValueError(f"`percentile` (={share!r}) must be above 0 and at most 100")
    rule = partial(percentile, percentile=share) if method == "percentile" else METHODS[method]
    # While all is 0 there are no bins to choose between, and nothing to cut off.
    return lambda histogram, steps: rule(histogram, steps) if histogram.width else histogram.largest
