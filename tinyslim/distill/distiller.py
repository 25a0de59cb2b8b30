"""Distiller: a loss made of terms, each of which compares a student with its teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tinyslim.autograd import Tensor
from tinyslim.graph import taps
from tinyslim.nn import Module
from tinyslim.train import Loss, label_loss

from .projection import Projections
from .soft_label import SoftLabelDistiller
from .teacher import Teacher
from .term import Answers, Term


@dataclass(frozen=True)
class Distiller:
    """label_weight · base + weight · Σ term's weight · term's loss; a `train.Loss`.

    Parameters
    ----------
    teacher : Module or Teacher
        Another object than the student: their names can't clash. It runs in eval mode, without a tape, on images that
        are normalised as it wants them. A `RememberingTeacher` is asked once for each image.
    terms : sequence of Term
        By default soft labels, `SoftLabelDistiller()`.
    weight, label_weight : float
        At least 0.
    base : Loss
        By default cross-entropy with the labels. Another `Distiller` here makes two teachers.
    projections : Projections
        What terms with ``projection=True`` learn. They are made in the first call; then hand `parameters` to the
        optimizer beside the student's.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import distill, nn
    >>> student = nn.Sequential(nn.Conv2d(1, 4, 3), nn.GlobalAvgPool2d(), nn.Linear(4, 3))
    >>> teacher = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(6, 3))
    >>> terms = [
    ...     distill.SoftLabelDistiller(student_temperature=3.0, teacher_temperature=3.0, scale_by_temperature=True),
    ...     distill.L2Distiller("0", "1", projection=True, distillation_loss_weight=0.5),
    ... ]
    >>> loss = distill.Distiller(teacher, terms, label_weight=0.3)
    >>> value, logits = loss(student, np.ones((2, 5, 5, 1), np.float32), np.array([0, 2]))
    >>> value.shape, logits.shape, [weight.shape for weight in loss.parameters()]
    ((), (2, 3), [(1, 1, 4, 6)])
    """

    teacher: Module | Teacher
    terms: Sequence[Term] = (SoftLabelDistiller(),)
    weight: float = 1.0
    label_weight: float = 1.0
    base: Loss = field(default_factory=label_loss)
    projections: Projections = field(default_factory=Projections)

    def __post_init__(self):
        for term in self.terms:
            if not isinstance(term, Term):
                raise TypeError(f"`terms` holds {term!r}: expected terms such as SoftLabelDistiller()")
        for name in ("weight", "label_weight"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"`{name}` (={getattr(self, name)!r}) must be a finite number of at least 0")
        paths = self._paths("teacher_paths")
        asked = self.teacher if isinstance(self.teacher, Teacher) else Teacher(self.teacher, paths)
        if missing := [path for path in paths if path not in asked.paths]:
            raise ValueError(f"`teacher` gives logits alone, but terms need its maps {', '.join(missing)}")
        object.__setattr__(self, "_asked", asked)  # frozen, but this is no setting

    def __call__(self, model: Module, images: np.ndarray, labels: np.ndarray) -> tuple[Tensor, Tensor]:
        """The loss of `model` on a batch, and its logits."""
        if model is self._asked.model:
            raise ValueError("`teacher` is the student itself: give a copy of it, or another network")
        teacher = self._asked.answer(images, model.preprocessing)
        with taps(model, self._paths("student_paths")) as maps:
            base, logits = self.base(model, images, labels)
        loss = base * self.label_weight
        for term in self.terms:
            student = Answers(logits, maps | self._projected(term, maps, teacher))
            loss = loss + term.loss(student, teacher, labels) * (self.weight * term.distillation_loss_weight)
        return loss, logits

    @property
    def learns(self) -> bool:
        """Whether it has parameters of its own, or will have after its first call."""
        return any(term.projected for term in self.terms)

    def parameters(self) -> list[Tensor]:
        """What is learned beside the student: the projections' weights, once there are any."""
        return list(self.projections.weights.values())

    def _paths(self, whose: str) -> list[str]:
        """The maps that any of the terms needs of one of the two networks."""
        return list(dict.fromkeys(path for term in self.terms for path in getattr(term, whose)))

    def _projected(self, term: Term, maps: dict[str, Tensor], teacher: Answers) -> dict[str, Tensor]:
        """The student's maps that `term` wants with as many channels as the teacher's."""
        found = {}
        for path, goal in term.projected:
            ours, theirs = maps[path], teacher.maps[goal]
            if ours.ndim != 4 or theirs.ndim != 4:
                raise ValueError(
                    f"`projection` needs maps (n, h, w, c), but the student's {path} has shape {ours.shape}, "
                    f"the teacher's {goal} {theirs.shape}"
                )
            found[path] = self.projections(f"{type(term).__name__}: {path} → {goal}", ours, theirs.shape[3])
        return found
