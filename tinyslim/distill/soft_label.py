"""Soft labels: the student learns all of the teacher's probabilities, not only which is the largest."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

import tinyslim.functional as F
from tinyslim.autograd import Tensor
from tinyslim.nn import Module
from tinyslim.train import Loss, label_loss

from .teacher import Teacher


@dataclass(frozen=True)
class SoftLabel:
    """label_weight · base + weight · H(softmax(teacher/Tₜ), softmax(student/Tₛ)); a `train.Loss`.

    Hinton, Vinyals, Dean 2015, §2. A wrong class that the teacher finds likely resembles the right one: that is what
    the labels don't tell. Gradients shrink by Tₛ·Tₜ: multiply `weight` by it to keep their size, as the paper does.

    Parameters
    ----------
    teacher : Module
        Another object than the student. It runs in eval mode, without a tape; images come to it normalised as it wants.
    student_temperature, teacher_temperature : float
        Above 1 they flatten the probabilities, so that the small ones count.
    weight, label_weight : float
        At least 0.
    base : Loss
        By default cross-entropy with the labels. Another `SoftLabel` here makes two teachers.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import distill, nn
    >>> student, teacher = (nn.Sequential(nn.Flatten(), nn.Linear(4, 3, seed=seed)) for seed in (0, 1))
    >>> images, labels = np.ones((2, 2, 2, 1), np.float32), np.array([0, 2])
    >>> loss, logits = distill.SoftLabel(teacher, weight=0.5)(student, images, labels)
    >>> loss.shape, logits.shape
    ((), (2, 3))
    """

    teacher: Module
    student_temperature: float = 1.0
    teacher_temperature: float = 1.0
    weight: float = 1.0
    label_weight: float = 1.0
    base: Loss = field(default_factory=label_loss)

    def __post_init__(self):
        if not isinstance(self.teacher, Module):
            raise TypeError(f"`teacher` (={self.teacher!r}) must be a Module")
        for name in ("student_temperature", "teacher_temperature"):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(f"`{name}` (={getattr(self, name)!r}) must be a finite number above 0")
        for name in ("weight", "label_weight"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"`{name}` (={getattr(self, name)!r}) must be a finite number of at least 0")

    def __call__(self, model: Module, images: np.ndarray, labels: np.ndarray) -> tuple[Tensor, Tensor]:
        """The loss of `model` on a batch, and its logits."""
        if model is self.teacher:
            raise ValueError("`teacher` is the student itself: give a copy of it, or another network")
        answer = Teacher(self.teacher).logits(images, model.preprocessing)
        base, logits = self.base(model, images, labels)
        if logits.shape != answer.shape:
            raise ValueError(
                f"the student's logits have shape {logits.shape}, the teacher's {answer.shape}: they must be equal"
            )
        soft = F.soft_cross_entropy(logits, answer, self.student_temperature, self.teacher_temperature)
        return base * self.label_weight + soft * self.weight, logits
