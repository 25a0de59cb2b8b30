"""Hinton's mix: soft labels and true ones, weighed against each other by one number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import tinyslim.functional as F
from tinyslim.autograd import Tensor

from .soft_label import soft_label_loss
from .term import Answers, Term, check_number, check_shapes


def hinton_loss(
    student: Tensor, teacher: Tensor, labels: np.ndarray, temperature: float = 4.0, alpha: float = 0.9
) -> Tensor:
    """α·T²·H(softmax(teacher/T), softmax(student/T)) + (1 − α)·H(labels, softmax(student)).

    Hinton, Vinyals, Dean 2015, §2: a weighted average of the two, with the label's share "considerably lower"; T² keeps
    their proportion when T changes.

    Parameters
    ----------
    student, teacher : Tensor
        Logits, (n, classes).
    labels : array of int
        (n,).
    temperature, alpha : float
        Above 0; from 0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor, distill
    >>> even = Tensor([[0.0, 0.0]])
    >>> f"{distill.hinton_loss(even, even, np.array([0]), temperature=1.0, alpha=0.5).item():.4f}"
    '0.6931'
    """
    soft = soft_label_loss(student, teacher, temperature, temperature, scale_by_temperature=True)
    return soft * alpha + F.cross_entropy(student, labels) * (1 - alpha)


@dataclass(frozen=True)
class HintonDistiller(Term):
    """Soft labels and labels in one term: see `hinton_loss`. Let the label's own weight be 0 beside it.

    Parameters
    ----------
    temperature, alpha : float
    distillation_loss_weight : float

    Examples
    --------
    >>> from tinyslim import distill
    >>> print(distill.HintonDistiller(temperature=4.0, alpha=0.9).describe())
    HintonDistiller
    """

    temperature: float = 4.0
    alpha: float = 0.9

    def __post_init__(self):
        super().__post_init__()
        check_number(self, "temperature", above=0)
        check_number(self, "alpha", least=0)
        if self.alpha > 1:
            raise ValueError(f"`alpha` (={self.alpha!r}) must be a finite number from 0 to 1")

    def loss(self, student: Answers, teacher: Answers, labels: np.ndarray) -> Tensor:
        check_shapes(student.logits, teacher.logits, "logits", "logits")
        return hinton_loss(student.logits, teacher.logits, labels, self.temperature, self.alpha)
