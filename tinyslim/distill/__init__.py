"""Distillation: a student learns from what a teacher answers, beside the labels.

A `Distiller` is a loss made of terms. Each term is a small class that says which results it compares, beside the
function that is its equation: `soft_label_loss`, `hinton_loss`, `l2_loss`, `fsp_loss`, `attention_loss`.
"""

from .attention import AttentionDistiller, attention_loss, attention_map
from .distiller import Distiller
from .fsp import FSPDistiller, fsp_loss
from .hinton import HintonDistiller, hinton_loss
from .l2 import L2Distiller, l2_loss
from .projection import Projections
from .remembering import RememberingTeacher
from .soft_label import SoftLabelDistiller, soft_label_loss
from .teacher import Teacher
from .term import Answers, Term
from .user_function import FunctionDistiller

#: The terms that a config may name as their `class`.
TERMS = {
    term.__name__: term
    for term in (
        SoftLabelDistiller,
        HintonDistiller,
        L2Distiller,
        FSPDistiller,
        AttentionDistiller,
        FunctionDistiller,
    )
}

__all__ = [
    "TERMS",
    "Answers",
    "AttentionDistiller",
    "Distiller",
    "FSPDistiller",
    "FunctionDistiller",
    "HintonDistiller",
    "L2Distiller",
    "Projections",
    "RememberingTeacher",
    "SoftLabelDistiller",
    "Teacher",
    "Term",
    "attention_loss",
    "attention_map",
    "fsp_loss",
    "hinton_loss",
    "l2_loss",
    "soft_label_loss",
]
