"""Histograms of what flows through a network: all that is remembered of an activation while a model is calibrated."""

from __future__ import annotations

import numpy as np

#: As in TensorRT's calibration (Migacz 2017).
BINS = 2048


class Histogram:
    """How often |x| falls into each of 2,048 bins of one width, over all batches so far.

    The grids of activations are symmetric or begin at 0, so the size of a value is all that its range needs. The first
    batch sets the width. When a larger value comes, the width doubles until it fits, and each two neighbours become one
    bin: no count is ever guessed, and between half and all of the bins are in use.

    Attributes
    ----------
    counts : int64 array (2048,)
    width : float
        Of a bin: bin i counts i·width ≤ |x| < (i + 1)·width, the last one its upper end too. 0 while all was 0.
    largest : float
        The largest |x|, exactly.

    Examples
    --------
    >>> histogram = Histogram()
    >>> histogram.add(np.float32([0.5, -2.0]))
    >>> histogram.add(np.float32([3.0]))  # twice as wide from now on
    >>> histogram.width * BINS, histogram.largest, histogram.counts[[256, 1023, 1536]].tolist()
    (4.0, 3.0, [1, 1, 1])
    """

    def __init__(self):
        self.counts = np.zeros(BINS, np.int64)
        self.width, self.largest = 0.0, 0.0

    def add(self, x: np.ndarray) -> None:
        """Count the values of `x`, of any shape; raises ValueError where one is not finite."""
        sizes = np.abs(x).ravel()
        largest = float(sizes.max(initial=0.0))
        if not np.isfinite(largest):
            raise ValueError("a value that is not finite fits no range")
        self._widen(largest)
        self.largest = max(self.largest, largest)
        if self.width == 0:
            self.counts[0] += sizes.size
            return
        places = (sizes * x.dtype.type(1 / self.width)).astype(np.int32)
        np.minimum(places, BINS - 1, out=places)
        self.counts += np.bincount(places, minlength=BINS)

    def _widen(self, largest: float) -> None:
        # Below the smallest normal float32 a bin's width would have no inverse: to every grid such values are 0.
        if self.width == 0 and largest > BINS * np.finfo(np.float32).tiny:
            self.width = largest / BINS
        while self.width and largest > self.width * BINS:
            self.counts = np.concatenate([self.counts.reshape(-1, 2).sum(axis=1), np.zeros(BINS // 2, np.int64)])
            self.width *= 2

    @property
    def total(self) -> int:
        """How many values were counted."""
        return int(self.counts.sum())

    @property
    def centres(self) -> np.ndarray:
        """The middle of each bin, float64 (2048,)."""
        return (np.arange(BINS) + 0.5) * self.width

    @property
    def edges(self) -> np.ndarray:
        """The upper end of each bin, float64 (2048,)."""
        return np.arange(1, BINS + 1) * self.width
