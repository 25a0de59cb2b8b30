"""What a term of a distillation loss is: which maps it compares, how, and with what weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from tinyslim.autograd import Tensor


@dataclass(frozen=True)
class Answers:
    """What one network made of a batch.

    Attributes
    ----------
    logits : Tensor
        (n, classes).
    maps : mapping of Tensor
        Results from inside the network, by module path.
    """

    logits: Tensor
    maps: Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Term:
    """The base of all terms: a frozen dataclass whose fields have the names and defaults of PaddleSlim 1.x.

    A subclass overrides `student_paths` and `teacher_paths`, the maps that it compares, and `loss`.
    """

    distillation_loss_weight: float = 1.0

    def __post_init__(self):
        check_number(self, "distillation_loss_weight", least=0)
        for path in (*self.student_paths, *self.teacher_paths):
            if not isinstance(path, str) or not path:
                raise TypeError(f"{type(self).__name__} names a feature map {path!r}: it must be a module's path")

    @property
    def student_paths(self) -> tuple[str, ...]:
        """The student's maps that it needs."""
        return ()

    @property
    def teacher_paths(self) -> tuple[str, ...]:
        """The teacher's."""
        return ()

    @property
    def projected(self) -> tuple[tuple[str, str], ...]:
        """Pairs (student's path, teacher's path): the former's channels are to be projected to the latter's."""
        return ()

    def loss(self, student: Answers, teacher: Answers, labels: np.ndarray) -> Tensor:
        """One number, without the weight."""
        raise NotImplementedError

    def describe(self) -> str:
        """The term in a few words for a plan."""
        shown = [
            f"{field.name.replace('_', ' ')} {_named(getattr(self, field.name))}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        ]
        return f"{type(self).__name__} ({', '.join(shown)})" if shown else type(self).__name__


def _named(value: object) -> object:
    return getattr(value, "__name__", value)


def check_number(term: Term, name: str, least: float | None = None, above: float | None = None) -> None:
    """Refuse a field that is no finite number of at least `least`, or above `above`."""
    value = getattr(term, name)
    limit = f"of at least {least}" if above is None else f"above {above}"
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not np.isfinite(value) or (value < least if above is None else value <= above):
        raise ValueError(f"`{name}` (={value!r}) must be a finite number {limit}")


def check_shapes(student: Tensor, teacher: Tensor, student_path: str, teacher_path: str, hint: str = "") -> None:
    """Refuse two maps of different shapes, telling both with their paths."""
    if student.shape != teacher.shape:
        raise ValueError(
            f"the student's {student_path} of shape {student.shape} and the teacher's {teacher_path} of shape "
            f"{teacher.shape} must have one shape{hint}"
        )
