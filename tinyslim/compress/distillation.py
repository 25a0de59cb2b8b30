"""DistillationStrategy: while it trains, the model also learns from what a teacher answers."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Annotated

from pydantic import Field, PlainSerializer, PlainValidator, ValidationError, field_validator, model_validator

from tinyslim import distill, models
from tinyslim.naming import nearest
from tinyslim.nn import Module
from tinyslim.train import load, model_digest

from .context import Context
from .distill_terms import problem, term_from, term_to_table
from .strategy import Strategy, register

#: Teachers that a config names: what they are called in a plan.
NAMED = {"resnet20": "the shipped ResNet-20", "self": "the model as it came"}

Term = Annotated[object, PlainValidator(term_from), PlainSerializer(term_to_table)]


@register
class DistillationStrategy(Strategy):
    """A loss with a teacher in the epochs from `start_epoch` to `end_epoch`: see `distill.Distiller`.

    Each table ``[[strategies.NAME.terms]]`` is a term: ``class = "L2Distiller"`` and that class's fields. Without any
    there is one, soft labels, and the fields `student_temperature` and `teacher_temperature` here are that term's.

    Two strategies at the same time add up: the second weighs the first's loss as its labels'.

    Attributes
    ----------
    teacher : str
        "resnet20", the one that ships for Fashion-MNIST; "self", the model as it was before the compression; or a path
        to a ``model.npz``. A network handed to ``Compressor(teacher=…)`` takes the place of any.
    terms : list of distill.Term, or of tables
    student_temperature, teacher_temperature : float
    distillation_loss_weight, label_loss_weight : float
        Of the sum of the terms, and of the labels' loss.
    cache_logits : bool
        Ask the teacher once for each image; needs ``augment = "none"`` and terms without the teacher's maps.
    """

    teacher: str = "resnet20"
    terms: list[Term] = Field(default_factory=list)
    student_temperature: float = Field(1.0, gt=0)
    teacher_temperature: float = Field(1.0, gt=0)
    distillation_loss_weight: float = Field(1.0, ge=0)
    label_loss_weight: float = Field(1.0, ge=0)
    cache_logits: bool = False

    @field_validator("teacher")
    @classmethod
    def _known(cls, teacher: str) -> str:
        if teacher not in NAMED and not teacher.endswith(".npz"):
            raise ValueError(f"must be {', '.join(NAMED)} or a path to a model.npz{nearest(teacher, NAMED)}")
        if teacher not in NAMED and not Path(teacher).exists():
            raise ValueError("must be a path to a model.npz: there is no such file")
        return teacher

    @model_validator(mode="after")
    def _one_form(self):
        told = "belongs, where there are terms, into the table of a SoftLabelDistiller"
        short = {name: getattr(self, name) for name in ("student_temperature", "teacher_temperature")}
        problems = [problem(name, value, told) for name, value in short.items() if self.terms and value != 1]
        if problems:
            raise ValidationError.from_exception_data("DistillationStrategy", problems)
        return self

    @property
    def all_terms(self) -> list[distill.Term]:
        """The terms, in whichever form they were given."""
        return self.terms or [
            distill.SoftLabelDistiller(
                student_temperature=self.student_temperature, teacher_temperature=self.teacher_temperature
            )
        ]

    def describe(self, context: Context) -> str:
        teacher = NAMED.get(self.teacher, self.teacher)
        if context.teacher is not None:
            teacher = f"the {type(context.teacher).__name__} that was handed over"
        how = ", ".join(term.describe() for term in self.terms)
        return (
            f"learn from {teacher} (weight {self.distillation_loss_weight:g}"
            f"{f': {how}' if how else f', temperature {self.teacher_temperature:g}'}) "
            f"beside the labels (weight {self.label_loss_weight:g})"
        )

    def on_compression_begin(self, context: Context) -> None:
        self._check_cache(context)
        teacher = self._teacher(context)
        # A dry run: a path that leads nowhere, maps of other shapes, another number of classes can be told now.
        self._distiller(context, teacher, distill.Projections())(
            context.original, context.example, context.train_set.labels[:1]
        )
        context.objects[self.name] |= {
            "teacher": distill.RememberingTeacher(teacher) if self.cache_logits else teacher,
            "digest": model_digest(teacher, context.example),
        }

    def on_epoch_begin(self, context: Context) -> None:
        state, own = context.state[self.name], context.objects[self.name]
        if state.setdefault("teacher", own["digest"]) != own["digest"]:
            raise ValueError(f"the teacher was {state['teacher']} when the run began, now it is {own['digest']}")
        if context.epoch not in self.epochs(context.settings.epochs):
            return
        # Not before: a resumed run has its learned projections only now.
        if "projections" not in own:
            own["projections"] = self._projections(context)
        context.loss = self._distiller(context, own["teacher"], own["projections"])

    def _check_cache(self, context: Context) -> None:
        if not self.cache_logits:
            return
        if context.settings.augment != "none":
            raise ValueError(
                f"`cache_logits` needs compressor.augment = 'none': no image comes twice with "
                f"{context.settings.augment!r}"
            )
        if paths := [path for term in self.all_terms for path in term.teacher_paths]:
            raise ValueError(f"`cache_logits` keeps logits alone, but terms need the teacher's {', '.join(paths)}")

    def _teacher(self, context: Context) -> Module:
        if context.teacher is not None:
            return context.teacher
        if self.teacher == "self":
            return copy.deepcopy(context.original)
        if self.teacher == "resnet20":
            return models.resnet20(num_classes=10, in_channels=1, pretrained="fashion_mnist")
        return load(self.teacher)

    def _distiller(self, context: Context, teacher, projections: distill.Projections) -> distill.Distiller:
        return distill.Distiller(
            teacher,
            self.all_terms,
            weight=self.distillation_loss_weight,
            label_weight=self.label_loss_weight,
            base=context.loss,
            projections=projections,
        )

    def _projections(self, context: Context) -> distill.Projections:
        """Those that the optimizer trains beside the model, and checkpoints hold."""
        return distill.Projections(
            context.settings.seed,
            context.beside.get(self.name, {}),
            lambda weights: context.train_beside(self.name, weights),
        )
