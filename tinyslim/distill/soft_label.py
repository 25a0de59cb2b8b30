"""Soft labels: the student learns all of the teacher's probabilities, not only which is the largest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import tinyslim.functional as F
from tinyslim.autograd import Tensor

from .term import Answers, Term, check_number, check_shapes


def soft_label_loss(
    student: Tensor,
    teacher: Tensor,
    student_temperature: float = 1.0,
    teacher_temperature: float = 1.0,
    scale_by_temperature: bool = False,
) -> Tensor:
    """H(softmax(teacher/Tₜ), softmax(student/Tₛ)), averaged over the batch: two of (n, classes) → one number.

    Hinton, Vinyals, Dean 2015, §2. A wrong class that the teacher finds likely resembles the right one: that is what
    the labels don't tell.

    Parameters
    ----------
    student, teacher : Tensor
        Logits.
    student_temperature, teacher_temperature : float
        Above 1 they flatten the probabilities, so that the small ones count.
    scale_by_temperature : bool
        Multiply by Tₛ·Tₜ. Gradients shrink by that factor; with it they keep their size, as in the paper (T²).
        PaddleSlim doesn't.

    Examples
    --------
    >>> from tinyslim import Tensor, distill
    >>> float(distill.soft_label_loss(Tensor([[0.0, 0.0]]), Tensor([[5.0, -5.0]])))  # log 2
    0.6931471824645996
    """
    scale = student_temperature * teacher_temperature if scale_by_temperature else 1.0
    return F.soft_cross_entropy(student, teacher, student_temperature, teacher_temperature) * scale


@dataclass(frozen=True)
class SoftLabelDistiller(Term):
    """The student's logits against the teacher's: see `soft_label_loss`.

    Parameters
    ----------
    student_feature_map, teacher_feature_map : str, optional
        Paths of results of shape (n, classes) in the place of the logits.
    student_temperature, teacher_temperature : float
    scale_by_temperature : bool
    distillation_loss_weight : float

    Examples
    --------
    >>> from tinyslim import distill
    >>> distill.SoftLabelDistiller(student_temperature=3.0, teacher_temperature=3.0).describe()
    'SoftLabelDistiller (student temperature 3.0, teacher temperature 3.0)'
    """

    student_feature_map: str | None = None
    teacher_feature_map: str | None = None
    student_temperature: float = 1.0
    teacher_temperature: float = 1.0
    scale_by_temperature: bool = False

    def __post_init__(self):
        super().__post_init__()
        check_number(self, "student_temperature", above=0)
        check_number(self, "teacher_temperature", above=0)

    @property
    def student_paths(self) -> tuple[str, ...]:
        return () if self.student_feature_map is None else (self.student_feature_map,)

    @property
    def teacher_paths(self) -> tuple[str, ...]:
        return () if self.teacher_feature_map is None else (self.teacher_feature_map,)

    def loss(self, student: Answers, teacher: Answers, labels: np.ndarray) -> Tensor:
        s = student.logits if self.student_feature_map is None else student.maps[self.student_feature_map]
        t = teacher.logits if self.teacher_feature_map is None else teacher.maps[self.teacher_feature_map]
        check_shapes(s, t, self.student_feature_map or "logits", self.teacher_feature_map or "logits")
        return soft_label_loss(
            s, t, self.student_temperature, self.teacher_temperature, self.scale_by_temperature
        )  # fmt: skip
