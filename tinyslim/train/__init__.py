"""Training: the loop, metrics, files of models and checkpoints."""

from .archive import arrays_under, read_archive, write_archive
from .fitting import Recipe, fit
from .identity import data_digest, differences, model_digest
from .loop import Batch, Loss, TrainingDivergedError, label_loss, train_epoch
from .metrics import Difference, evaluate, in_top, predict, scores, top1_difference
from .progress import Progress
from .saving import as_graph_module, canonical, from_bytes, load, save, to_bytes

__all__ = [
    "Batch",
    "Difference",
    "Loss",
    "Progress",
    "Recipe",
    "TrainingDivergedError",
    "arrays_under",
    "as_graph_module",
    "canonical",
    "data_digest",
    "differences",
    "evaluate",
    "fit",
    "from_bytes",
    "in_top",
    "label_loss",
    "load",
    "model_digest",
    "predict",
    "read_archive",
    "save",
    "scores",
    "to_bytes",
    "top1_difference",
    "train_epoch",
    "write_archive",
]
