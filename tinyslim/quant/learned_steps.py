"""Steps that are trained (LSQ, Esser et al. 2020): what they begin with, how fast they learn, and what holds them.

The derivative itself is `F.learned_fake_quant`.
"""

from __future__ import annotations

import numpy as np

from tinyslim.autograd import Tensor
from tinyslim.train import TrainingDivergedError

from .grid import SMALLEST_RANGE

#: A step never falls below this part of the one that it began with: at 0 it would be no grid at all.
SMALLEST_PART = 1 / 256


def starting_step(mean, largest, levels: int):
    """2·mean|x| / √levels (§2.1), but no coarser than the largest |x| asks for.

    Parameters
    ----------
    mean, largest : float or numpy.ndarray
        Of |x|.
    levels : int
        How many steps the grid has above 0: the paper's Q_P.

    Examples
    --------
    >>> from tinyslim.quant.learned_steps import starting_step
    >>> float(starting_step(0.5, 2.0, 7)), float(starting_step(0.5, 2.0, 127))  # 1/√7, and 2/127
    (0.2857142857142857, 0.015748031496062992)
    """
    wanted = 2 * np.asarray(mean) / np.sqrt(levels)
    return np.maximum(np.minimum(wanted, np.asarray(largest) / levels), SMALLEST_RANGE / levels)


def gradient_scale(count: int, levels: int) -> float:
    """1 / √(N·Q_P) (§2.2): with it a step moves as much as a weight does, relative to its size.

    N is the number of a layer's weights that share the step, or of its features in one image.
    """
    return 1 / np.sqrt(max(count, 1) * levels)


def smallest(start):
    """What a step that began with `start` must not fall below."""
    return start * SMALLEST_PART


def keep_positive(step: Tensor, least) -> None:
    """Bring a step that the optimizer has sent too far back to `least`; NaN stays NaN."""
    np.maximum(step.data, least, out=step.data, casting="same_kind")


def finite(values: np.ndarray) -> np.ndarray:
    """`values`, or an error where training has ended in NaN or infinity: integers know neither."""
    if not np.isfinite(values).all():
        raise TrainingDivergedError("a layer's weights or steps are infinite or not a number: a lower `lr` may help")
    return values
