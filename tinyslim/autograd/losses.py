"""Losses: what training makes small. Means over the batch."""

from __future__ import annotations

import numpy as np

from .activations import log_softmax, softmax
from .arithmetic import matmul
from .operations import each, operation
from .shaping import reshape, transpose


@operation("logits")
def cross_entropy(logits, labels, label_smoothing=0.0):
    """−Σ target · log softmax(logits), averaged over the batch: (n, classes), (n,) → one number.

    The target is 1 for the label; with smoothing ε it is (1−ε) there, plus ε/classes everywhere (Szegedy et al. 2016,
    §7). The derivative is softmax(logits) − target: the softmax and the logarithm cancel each other's.

    Parameters
    ----------
    logits : Tensor
        (n, classes).
    labels : array of int
        (n,), each from 0 to classes − 1.
    label_smoothing : float

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> f"{F.cross_entropy(Tensor([[0.0, 0.0], [1000.0, 0.0]]), np.array([0, 0])).item():.4f}"  # (ln 2 + 0) / 2
    '0.3466'
    """
    labels = np.asarray(labels)
    n, classes = _check_labels(logits, labels)
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"`label_smoothing` (={label_smoothing!r}) must be at least 0 and below 1")
    target = np.full((n, classes), label_smoothing / classes, logits.dtype)
    target[np.arange(n), labels] += 1 - label_smoothing
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -(target * log_p).sum(dtype=logits.dtype) / logits.dtype.type(n)
    return loss, each(lambda grad: grad * (np.exp(log_p) - target) / logits.dtype.type(n))


def _check_labels(logits: np.ndarray, labels: np.ndarray) -> tuple[int, int]:
    if logits.ndim != 2 or len(logits) == 0:
        raise ValueError(f"`logits` must be (n, classes) with n at least 1, but its shape is {logits.shape}")
    if labels.dtype.kind not in "iu" or labels.shape != (len(logits),):
        raise ValueError(
            f"`labels` must be {len(logits)} integers, one a row of `logits`, "
            f"but has shape {labels.shape} and dtype {labels.dtype}"
        )
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(f"`labels` reach from {labels.min()} to {labels.max()}, expected 0 to {logits.shape[1] - 1}")
    return logits.shape


def mse_loss(prediction, target):
    """The mean of (prediction − target)² over all elements.

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.mse_loss(Tensor([1.0, 2.0]), Tensor([1.0, 4.0])).data
    array(2., dtype=float32)
    """
    if prediction.shape != target.shape:
        raise ValueError(f"`prediction` has shape {prediction.shape}, `target` {target.shape}: they must be equal")
    return ((prediction - target) ** 2).mean()


def soft_cross_entropy(student, teacher, student_temperature=1.0, teacher_temperature=1.0):
    """−Σ softmax(teacher/Tₜ) · log softmax(student/Tₛ), averaged over the batch: the loss of soft labels.

    Hinton, Vinyals, Dean 2015, §2. They multiply by T², so that gradients keep their size when T changes; PaddleSlim
    does not, and neither does this. Multiply by a weight of your own.

    Parameters
    ----------
    student, teacher : Tensor
        Logits, (n, classes).
    student_temperature, teacher_temperature : float

    Examples
    --------
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> f"{F.soft_cross_entropy(Tensor([[0.0, 0.0]]), Tensor([[1.0, 3.0]])).item():.4f}"  # no better than a guess: ln 2
    '0.6931'
    """
    if student.shape != teacher.shape:
        raise ValueError(f"`student` has shape {student.shape}, `teacher` {teacher.shape}: they must be equal")
    for name, value in (("student_temperature", student_temperature), ("teacher_temperature", teacher_temperature)):
        if not value > 0:
            raise ValueError(f"`{name}` (={value!r}) must be above 0")
    target = softmax(teacher / teacher_temperature)
    return -(target * log_softmax(student / student_temperature)).sum(axis=-1).mean()


def fsp_matrix(a, b):
    """The flow of a solution procedure, F₁ᵀF₂ / (H·W): (n, h, w, c₁), (n, h, w, c₂) → (n, c₁, c₂).

    Yim et al. 2017, eq. 1: which features of one layer go with which of another, whatever their place in the image.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import Tensor
    >>> import tinyslim.functional as F
    >>> F.fsp_matrix(Tensor(np.ones((1, 2, 2, 3))), Tensor(np.ones((1, 2, 2, 2)))).shape
    (1, 3, 2)
    """
    if a.ndim != 4 or b.ndim != 4 or a.shape[:3] != b.shape[:3]:
        raise ValueError(f"`a` and `b` must agree in (n, h, w), but their shapes are {a.shape} and {b.shape}")
    n, h, w = a.shape[:3]
    first, second = (reshape(x, (n, h * w, x.shape[3])) for x in (a, b))
    return matmul(transpose(first, (0, 2, 1)), second) / (h * w)
