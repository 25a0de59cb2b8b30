"""DistillationStrategy: while it trains, the model also learns from what a teacher answers."""

from __future__ import annotations

import copy
from typing import Literal

from pydantic import Field

from tinyslim import distill, models
from tinyslim.nn import Module

from .context import Context
from .strategy import Strategy, register


@register
class DistillationStrategy(Strategy):
    """Soft labels in the epochs from `start_epoch` to `end_epoch`: see `distill.SoftLabel`.

    Two of them at the same time add up: the second weighs the first's loss as its labels'.

    Attributes
    ----------
    teacher : str
        "resnet20", the one that ships for Fashion-MNIST, or "self", the model as it was before the compression. A
        network handed to ``Compressor(teacher=…)`` takes the place of either.
    student_temperature, teacher_temperature : float
    distillation_loss_weight, label_loss_weight : float
    """

    teacher: Literal["resnet20", "self"] = "resnet20"
    student_temperature: float = Field(1.0, gt=0)
    teacher_temperature: float = Field(1.0, gt=0)
    distillation_loss_weight: float = Field(1.0, ge=0)
    label_loss_weight: float = Field(1.0, ge=0)

    def describe(self, context: Context) -> str:
        named = {"resnet20": "the shipped ResNet-20", "self": "the model as it came"}[self.teacher]
        teacher = named if context.teacher is None else f"the {type(context.teacher).__name__} that was handed over"
        return (
            f"learn from {teacher} (weight {self.distillation_loss_weight:g}, temperature "
            f"{self.teacher_temperature:g}) beside the labels (weight {self.label_loss_weight:g})"
        )

    def on_compression_begin(self, context: Context) -> None:
        teacher = self._teacher(context)
        # A dry run: a teacher of other images or classes is a mistake that can be told now.
        loss = self._loss(context, teacher)
        loss(context.original, context.example, context.train_set.labels[:1])
        context.objects[self.name]["teacher"] = teacher

    def on_epoch_begin(self, context: Context) -> None:
        if context.epoch in self.epochs(context.settings.epochs):
            context.loss = self._loss(context, context.objects[self.name]["teacher"])

    def _teacher(self, context: Context) -> Module:
        if context.teacher is not None:
            return context.teacher
        if self.teacher == "self":
            return copy.deepcopy(context.original)
        return models.resnet20(num_classes=10, in_channels=1, pretrained="fashion_mnist")

    def _loss(self, context: Context, teacher: Module) -> distill.SoftLabel:
        return distill.SoftLabel(
            teacher,
            student_temperature=self.student_temperature,
            teacher_temperature=self.teacher_temperature,
            weight=self.distillation_loss_weight,
            label_weight=self.label_loss_weight,
            base=context.loss,
        )
