"""FSP: the student shall go from one layer to another as the teacher goes, whatever it sees at either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import tinyslim.functional as F
from tinyslim.autograd import Tensor

from .term import Answers, Term


def fsp_loss(student: tuple[Tensor, Tensor], teacher: tuple[Tensor, Tensor]) -> Tensor:
    """mean((Gₛ − Gₜ)²) with the flow matrices G = F₁ᵀF₂/(H·W) of a pair of maps in each network.

    Yim, Joo, Bae, Kim 2017, "A gift from knowledge distillation", eq. 1 and 2 (there the squared norm, here its mean).
    Each pair's maps have one height and width; those of the two networks may differ, the channels may not.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor, distill
    >>> a, b = Tensor(np.ones((2, 4, 4, 3))), Tensor(np.ones((2, 4, 4, 5)))
    >>> distill.fsp_loss((a, b), (a, b * 3)).item()
    4.0
    """
    return ((F.fsp_matrix(*student) - F.fsp_matrix(*teacher)) ** 2).mean()


@dataclass(frozen=True)
class FSPDistiller(Term):
    """Pairs of maps of the student against pairs of the teacher, summed: see `fsp_loss`.

    Parameters
    ----------
    student_pairs, teacher_pairs : sequence of (str, str)
        Module paths; the i-th pair of one network belongs to the i-th of the other.
    projection : bool
        Bring the student's channels to the teacher's numbers by learned 1×1 convolutions.
    distillation_loss_weight : float

    Examples
    --------
    >>> from tinyslim import distill
    >>> distill.FSPDistiller([("blocks.0", "blocks.1")], [("blocks.0", "blocks.4")]).teacher_paths
    ('blocks.0', 'blocks.4')
    """

    student_pairs: Sequence[tuple[str, str]]
    teacher_pairs: Sequence[tuple[str, str]]
    projection: bool = False

    def __post_init__(self):
        for name in ("student_pairs", "teacher_pairs"):
            pairs = getattr(self, name)
            if isinstance(pairs, str) or not pairs or any(isinstance(p, str) or len(p) != 2 for p in pairs):
                raise ValueError(f"`{name}` (={pairs!r}) must be a list of pairs of module paths")
        if len(self.student_pairs) != len(self.teacher_pairs):
            raise ValueError(
                f"`student_pairs` holds {len(self.student_pairs)} pairs, `teacher_pairs` {len(self.teacher_pairs)}: "
                "there must be as many"
            )
        super().__post_init__()
        if len({s for s, _ in self.projected}) < len(set(self.projected)):
            raise ValueError(
                f"`student_pairs` (={self.student_pairs!r}) projects one map to two of the teacher's: make it two terms"
            )

    @property
    def student_paths(self) -> tuple[str, ...]:
        return tuple(path for pair in self.student_pairs for path in pair)

    @property
    def teacher_paths(self) -> tuple[str, ...]:
        return tuple(path for pair in self.teacher_pairs for path in pair)

    @property
    def projected(self) -> tuple[tuple[str, str], ...]:
        return tuple(zip(self.student_paths, self.teacher_paths, strict=True)) if self.projection else ()

    def loss(self, student: Answers, teacher: Answers, labels: np.ndarray) -> Tensor:
        total, *others = (
            self._pair(student, teacher, *pairs) for pairs in zip(self.student_pairs, self.teacher_pairs, strict=True)
        )
        for other in others:
            total = total + other
        return total

    def _pair(self, student: Answers, teacher: Answers, s: tuple[str, str], t: tuple[str, str]) -> Tensor:
        maps = {"student": [student.maps[path] for path in s], "teacher": [teacher.maps[path] for path in t]}
        for who, paths in (("student", s), ("teacher", t)):
            first, second = maps[who]
            if first.ndim != 4 or first.shape[:3] != second.shape[:3]:
                raise ValueError(
                    f"the {who}'s {paths[0]} has shape {first.shape}, its {paths[1]} {second.shape}: "
                    "a pair needs two maps (n, h, w, c) of one height and width"
                )
        channels = {who: tuple(map.shape[3] for map in pair) for who, pair in maps.items()}
        if channels["student"] != channels["teacher"]:
            hint = "" if self.projection else "; `projection` = true brings channels to one number"
            raise ValueError(
                f"the student's {s[0]} and {s[1]} have {channels['student']} channels, the teacher's {t[0]} and {t[1]} "
                f"{channels['teacher']}: they must be equal{hint} "
                f"(shapes {[m.shape for m in maps['student']]} and {[m.shape for m in maps['teacher']]})"
            )
        return fsp_loss(tuple(maps["student"]), tuple(maps["teacher"]))
