"""Real factors as integers: scale = m·2^−s, so that one product, one addition and one shift rescale a sum."""

from __future__ import annotations

import numpy as np


def multiplier(scale) -> tuple[np.ndarray, np.ndarray]:
    """Integers m and s with m·2^−s nearest to `scale`, m in [2^30, 2^31) and 1 ≤ s ≤ 62.

    m is scale·2^s rounded half to even, so m·2^−s is within a factor of 1 ± 2^−31 of `scale`. A scale below 2^−32 would
    need a larger s and takes m = 2^30, s = 62 instead: either way each int32 sum becomes 0.

    Parameters
    ----------
    scale : float or array of floats
        Positive and below 2^30: the quotient S1·S2/S3 of scales (Jacob et al. 2018, equation 5).

    Returns
    -------
    m : int32 array, s : int8 array
        Of the shape of `scale`.

    Raises
    ------
    ValueError
        If a scale is zero, negative, not finite, or 2^30 and more.

    Examples
    --------
    >>> m, s = multiplier(0.3)
    >>> int(m), int(s), float(m * 2.0**-s)
    (1288490189, 32, 0.30000000004656613)
    """
    scale = np.asarray(scale, np.float64)
    if not (scale > 0).all() or not np.isfinite(scale).all():
        raise ValueError(f"`scale` (={scale}) must be positive and finite")
    mantissa, exponent = np.frexp(scale)
    m, s = np.rint(mantissa * 2.0**31).astype(np.int64), 31 - exponent.astype(np.int64)
    full = m == 2**31
    m, s = np.where(full, 2**30, m), np.where(full, s - 1, s)
    if (s < 1).any():
        raise ValueError(f"`scale` (={scale}) must be below 2^30")
    m, s = np.where(s > 62, 2**30, m), np.minimum(s, 62)
    return m.astype(np.int32), s.astype(np.int8)


def add_multipliers(scale_a: float, scale_b: float) -> tuple[int, int, int]:
    """(m1, m2, s) with m1·2^−s and m2·2^−s nearest to two positive scales, as the op `add` takes them.

    The larger scale sets the shift as in `multiplier`; the smaller one's factor may be 0 if nothing is left of it.

    Examples
    --------
    >>> add_multipliers(0.5, 0.25)
    (1073741824, 536870912, 31)
    """
    _, shift = multiplier(max(scale_a, scale_b))
    multiplier(min(scale_a, scale_b))
    m1, m2 = (min(round(scale * 2.0 ** int(shift)), 2**31 - 1) for scale in (scale_a, scale_b))
    return m1, m2, int(shift)
