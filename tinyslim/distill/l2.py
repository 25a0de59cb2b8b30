"""L2 on feature maps: the student shall see in an image what the teacher sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyslim.autograd import Tensor

from .term import Answers, Term, check_shapes


def l2_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """mean((s − t)²) over all elements of two maps of one shape.

    Romero et al. 2015, "FitNets", eq. 3, there with a factor of 1/2 and a sum; PaddleSlim's L2Distiller takes the mean.

    Examples
    --------
    >>> from tinyslim import Tensor, distill
    >>> float(distill.l2_loss(Tensor([1.0, 2.0]), Tensor([1.0, 4.0])))
    2.0
    """
    return ((student - teacher) ** 2).mean()


@dataclass(frozen=True)
class L2Distiller(Term):
    """A map of the student against one of the teacher: see `l2_loss`.

    Parameters
    ----------
    student_feature_map, teacher_feature_map : str
        Module paths, each in its own network.
    projection : bool
        Bring the student's channels to the teacher's number by a 1×1 convolution that is learned with the student and
        left behind at the end (FitNets' regressor). Without it the shapes must be equal.
    distillation_loss_weight : float

    Examples
    --------
    >>> from tinyslim import distill
    >>> print(distill.L2Distiller("blocks.4", "blocks.8", projection=True).describe())
    L2Distiller (student feature map blocks.4, teacher feature map blocks.8, projection True)
    """

    student_feature_map: str
    teacher_feature_map: str
    projection: bool = False

    @property
    def student_paths(self) -> tuple[str, ...]:
        return (self.student_feature_map,)

    @property
    def teacher_paths(self) -> tuple[str, ...]:
        return (self.teacher_feature_map,)

    @property
    def projected(self) -> tuple[tuple[str, str], ...]:
        return ((self.student_feature_map, self.teacher_feature_map),) if self.projection else ()

    def loss(self, student: Answers, teacher: Answers, labels: np.ndarray) -> Tensor:
        s, t = student.maps[self.student_feature_map], teacher.maps[self.teacher_feature_map]
        hint = "" if self.projection else "; `projection` = true brings channels to one number"
        check_shapes(s, t, self.student_feature_map, self.teacher_feature_map, hint)
        return l2_loss(s, t)
