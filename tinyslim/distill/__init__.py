"""Distillation: a student learns from what a teacher answers, beside the labels."""

from .soft_label import SoftLabel
from .teacher import Teacher

__all__ = ["SoftLabel", "Teacher"]
