"""Images on which two networks disagree, with what each of them says."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Opinion:
    """What one network says of an image, and how sure it is: a share of all probability."""

    who: str
    says: str
    right: bool
    sure: float


@dataclass(frozen=True)
class Answer:
    """An image, its label, and what the networks say.

    Attributes
    ----------
    source : str
        The image as a data URI, PNG.
    label : str
    opinions : sequence of Opinion
    """

    source: str
    label: str
    opinions: Sequence[Opinion]


def disagreements(
    images: np.ndarray, labels: np.ndarray, classes: Sequence[str], logits: Mapping[str, np.ndarray], count: int = 10
) -> list[Answer]:
    """The images on which the networks' answers differ most surely, at most `count`.

    An image comes first where the network that is least sure of its own answer is surest: both mean what they say.

    Parameters
    ----------
    images : numpy.ndarray
        (n, h, w, c) uint8, of one or three channels.
    labels : numpy.ndarray
        (n,)
    classes : sequence of str
    logits : mapping
        By name the (n, classes) of each network.
    count : int

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim.report import disagreements
    >>> images, labels = np.zeros((2, 4, 4, 1), np.uint8), np.array([0, 1])
    >>> logits = {"before": np.array([[9.0, 0.0], [0.0, 9.0]]), "after": np.array([[9.0, 0.0], [9.0, 0.0]])}
    >>> (answer,) = disagreements(images, labels, ["cat", "dog"], logits)
    >>> answer.label, [(opinion.who, opinion.says) for opinion in answer.opinions]
    ('dog', [('before', 'dog'), ('after', 'cat')])
    """
    shares = {name: _softmax(values) for name, values in logits.items()}
    answers = np.stack([values.argmax(axis=1) for values in shares.values()])
    sure = np.stack([values.max(axis=1) for values in shares.values()]).min(axis=0)
    differing = np.flatnonzero((answers != answers[0]).any(axis=0))
    chosen = differing[np.argsort(-sure[differing], kind="stable")][:count]
    found = []
    for i in chosen.tolist():
        label = int(labels[i])
        opinions = [
            Opinion(name, classes[int(says)], int(says) == label, float(shares[name][i, says]))
            for name, says in zip(shares, answers[:, i], strict=True)
        ]
        found.append(Answer(png_uri(images[i]), classes[label], opinions))
    return found


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
    return powers / powers.sum(axis=1, keepdims=True)


def png_uri(image: np.ndarray) -> str:
    """A uint8 image (h, w, 1 or 3) as a PNG inside a URI."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
