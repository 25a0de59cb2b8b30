"""A trained network that is asked and never taught."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tinyslim.autograd import no_grad
from tinyslim.data.dataset import Preprocessing
from tinyslim.graph import evaluating, taps
from tinyslim.nn import Module

from .term import Answers


class Teacher:
    """Answers in eval mode and without a tape, on images that were normalised for its student.

    Parameters
    ----------
    model : Module
        Its `preprocessing` may differ from the student's; without one it takes images as they come.
    paths : sequence of str
        Modules whose results belong to its answers: see `graph.taps`.
    """

    def __init__(self, model: Module, paths: Iterable[str] = ()):
        if not isinstance(model, Module):
            raise TypeError(f"`teacher` (={model!r}) must be a Module")
        self.model, self.paths = model, tuple(paths)

    def answer(self, images: np.ndarray, preprocessing: Preprocessing | None = None) -> Answers:
        """What the teacher makes of images (n, h, w, c), as tensors through which no gradient flows.

        Parameters
        ----------
        images : numpy.ndarray
            Normalised batch of the student.
        preprocessing : (mean, std) or None
            What the images were normalised with.
        """
        with no_grad(), evaluating(self.model), taps(self.model, self.paths) as maps:
            logits = self.model(renormalized(images, preprocessing, self.model.preprocessing))
        return Answers(logits.detach(), {path: tensor.detach() for path, tensor in maps.items()})


def renormalized(images: np.ndarray, made_with: Preprocessing | None, wanted: Preprocessing | None) -> np.ndarray:
    """Images normalised with one mean and std, as if it had been another: one affine map a channel.

    A pixel p in 0..1 arrives as x = (p − m)/s. With p = s·x + m, (p − m′)/s′ = x · s/s′ + (m − m′)/s′. The arrays are
    returned untouched where both are the same, or one of them is unknown.

    Examples
    --------
    >>> x = np.array([-1.0, 1.0], np.float32).reshape(2, 1, 1, 1)
    >>> renormalized(x, ([0.5], [0.5]), ([0.0], [1.0])).ravel()
    array([0., 1.], dtype=float32)
    """
    if made_with is None or wanted is None:
        return images
    (mean, std), (other_mean, other_std) = (np.asarray(pair, np.float64) for pair in (made_with, wanted))
    if mean.shape != other_mean.shape:
        raise ValueError(
            f"the student takes images of {mean.size} channels, the teacher of {other_mean.size}: they must be equal"
        )
    if np.array_equal(mean, other_mean) and np.array_equal(std, other_std):
        return images
    scale, shift = std / other_std, (mean - other_mean) / other_std
    return images * scale.astype(images.dtype) + shift.astype(images.dtype)
