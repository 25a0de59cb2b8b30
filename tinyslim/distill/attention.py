"""Attention transfer: the student shall look where the teacher looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyslim.autograd import Tensor

from .term import Answers, Term

#: Far below any map's norm; keeps the division whole where a map is all 0.
TINY = 1e-12


def attention_map(features: Tensor) -> Tensor:
    """Where the activations of a map are large: Q = Σ_c |F_c|², as a unit vector: (n, h, w, c) → (n, h·w).

    Zagoruyko, Komodakis 2017, "Paying more attention to attention", §3.1 (F²_sum) and eq. 2 (Q/‖Q‖₂).

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor, distill
    >>> distill.attention_map(Tensor(np.array([[[[3.0, 0.0], [0.0, 0.0]]]]))).data
    array([[1., 0.]])
    """
    n, h, w, _ = features.shape
    q = (features**2).sum(axis=3).reshape(n, h * w)
    return q / ((q**2).sum(axis=1, keepdims=True) + TINY) ** 0.5


def attention_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """mean((Qₛ/‖Qₛ‖ − Qₜ/‖Qₜ‖)²) of two maps (n, h, w, ·): the numbers of channels may differ.

    Zagoruyko, Komodakis 2017, eq. 2; the mean of squares in the place of the norm, as the authors' own code has it.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor, distill
    >>> a, b = Tensor(np.ones((2, 4, 4, 3))), Tensor(np.ones((2, 4, 4, 5)))
    >>> distill.attention_loss(a, b).item() < 1e-9  # both look everywhere alike
    True
    """
    return ((attention_map(student) - attention_map(teacher)) ** 2).mean()


@dataclass(frozen=True)
class AttentionDistiller(Term):
    """A map of the student against one of the teacher by where they are large: see `attention_loss`.

    The differences are small (unit vectors of h·w elements): weights of 100 to 1,000 are usual.

    Parameters
    ----------
    student_feature_map, teacher_feature_map : str
        Module paths of maps of one height and width.
    distillation_loss_weight : float

    Examples
    --------
    >>> from tinyslim import distill
    >>> print(distill.AttentionDistiller("blocks.4", "blocks.8").describe())
    AttentionDistiller (student feature map blocks.4, teacher feature map blocks.8)
    """

    student_feature_map: str
    teacher_feature_map: str

    @property
    def student_paths(self) -> tuple[str, ...]:
        return (self.student_feature_map,)

    @property
    def teacher_paths(self) -> tuple[str, ...]:
        return (self.teacher_feature_map,)

    def loss(self, student: Answers, teacher: Answers, labels: np.ndarray) -> Tensor:
        s, t = student.maps[self.student_feature_map], teacher.maps[self.teacher_feature_map]
        if s.ndim != 4 or t.ndim != 4 or s.shape[:3] != t.shape[:3]:
            raise ValueError(
                f"the student's {self.student_feature_map} has shape {s.shape}, the teacher's "
                f"{self.teacher_feature_map} {t.shape}: they must be maps (n, h, w, c) of one height and width"
            )
        return attention_loss(s, t)
