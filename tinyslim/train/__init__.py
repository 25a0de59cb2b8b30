"""Training: the loop, metrics, files of models and checkpoints."""

from .archive import arrays_under, read_archive, write_archive
from .fitting import Recipe, fit
from .loop import Batch, Loss, TrainingDivergedError, label_loss, train_epoch
from .metrics import Difference, evaluate, in_top, predict, scores, top1_difference
from .progress import Progress
from .saving import as_graph_module, load, save

__all__ = [
    "Batch",
    "Difference",
    "Loss",
    "Progress",
    "Recipe",
    "TrainingDivergedError",
    "arrays_under",
    "as_graph_module",
    "evaluate",
    "fit",
    "in_top",
    "label_loss",
    "load",
    "predict",
    "read_archive",
    "save",
    "scores",
    "top1_difference",
    "train_epoch",
    "write_archive",
]
