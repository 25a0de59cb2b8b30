"""A loss of one's own, beside the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tinyslim.autograd import Tensor

from .term import Answers, Term


@dataclass(frozen=True)
class FunctionDistiller(Term):
    """A function of both networks' answers as a term.

    Parameters
    ----------
    function
        ``function(student_maps, teacher_maps, student_logits, teacher_logits, labels)`` → a Tensor of one number. Maps
        are lists of Tensors, in the order of the paths below.
    student_feature_maps, teacher_feature_maps : sequence of str
        Module paths.
    distillation_loss_weight : float

    Examples
    --------
    >>> from tinyslim import distill
    >>> def squared_difference(student_maps, teacher_maps, student_logits, teacher_logits, labels):
    ...     return distill.l2_loss(student_logits, teacher_logits)
    >>> distill.FunctionDistiller(squared_difference, distillation_loss_weight=0.1).describe()
    'FunctionDistiller (distillation loss weight 0.1, function squared_difference)'
    """

    function: Callable[..., Tensor]
    student_feature_maps: Sequence[str] = ()
    teacher_feature_maps: Sequence[str] = ()

    def __post_init__(self):
        if not callable(self.function):
            raise TypeError(f"`function` (={self.function!r}) must be a function")
        for name in ("student_feature_maps", "teacher_feature_maps"):
            if isinstance(getattr(self, name), str):
                raise TypeError(f"`{name}` (={getattr(self, name)!r}) must be a list of module paths")
        super().__post_init__()

    @property
    def student_paths(self) -> tuple[str, ...]:
        return tuple(self.student_feature_maps)

    @property
    def teacher_paths(self) -> tuple[str, ...]:
        return tuple(self.teacher_feature_maps)

    def loss(self, student: Answers, teacher: Answers, labels: np.ndarray) -> Tensor:
        maps = [student.maps[path] for path in self.student_paths], [teacher.maps[path] for path in self.teacher_paths]
        result = self.function(*maps, student.logits, teacher.logits, labels)
        if not isinstance(result, Tensor) or result.size != 1:
            raise TypeError(
                f"`function` (={self.function!r}) returned {result!r:.80}: it must be a Tensor of one number"
            )
        return result.reshape(())
