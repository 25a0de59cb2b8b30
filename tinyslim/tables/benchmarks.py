"""What is fixed for a data set before any row is measured: the network, its teacher, and how rows train on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tinyslim.naming import nearest


@dataclass(frozen=True)
class Origin:
    """Where a network comes from: weights that ship, or a training.

    Attributes
    ----------
    network : str
        Its name in the zoo.
    settings : mapping
        Of the network; with ``pretrained``, the weights ship.
    training : mapping or None
        The arguments of `train.fit`, but for the seed; None where the weights ship.
    """

    network: str
    settings: Mapping[str, object]
    training: Mapping[str, object] | None = None


@dataclass(frozen=True)
class Benchmark:
    """A data set, the network that is compressed on it, and what all rows of its tables share.

    Attributes
    ----------
    data : str
        As `data.load` knows it.
    baseline, teacher : Origin
        Every row starts from the baseline; a trained one has weights of its own for each seed. The teacher is one.
    train_images : int
        How many training images the data set holds.
    epochs : mapping
        By the name of a table, how long each of its rows trains on, the control as well.
    compressor : mapping
        What the data ask for in each row's table `[compressor]`.
    images : int or None
        Only so many training images, and as many for testing: to try a table out.
    eval_images : int
        On so many training images sensitivities are measured and searches score.
    """

    data: str
    baseline: Origin
    teacher: Origin
    train_images: int
    epochs: Mapping[str, int]
    compressor: Mapping[str, object] = field(default_factory=dict)
    images: int | None = None
    eval_images: int = 2000

    def __post_init__(self):
        for name, epochs in self.epochs.items():
            if epochs < 1:
                raise ValueError(f"`epochs` (={epochs}) of {name!r} must be at least 1")
        if self.images is not None and not 2 <= self.images <= self.train_images:
            raise ValueError(f"`images` (={self.images}) must be from 2 to {self.train_images:,}, all of {self.data}")

    @property
    def eval_rate(self) -> float:
        """`eval_images` as strategies take it: a share of the images that are trained on."""
        return round(min(1.0, self.eval_images / (self.images or self.train_images)), 6)

    def start_seed(self, seed: int) -> int:
        """Which baseline the rows of `seed` start from: weights that ship are the same for all."""
        return 0 if self.baseline.training is None else seed

    def shortened(self, epochs: int | None = None, images: int | None = None) -> Benchmark:
        """The same with other epochs for every table's rows, or with fewer images."""
        changed = self.epochs if epochs is None else dict.fromkeys(self.epochs, epochs)
        return replace(self, epochs=changed, images=self.images if images is None else images)


_CLOTHES = {"num_classes": 10, "in_channels": 1, "pretrained": "fashion_mnist"}
_AS_TRAINED = {"batch_size": 64, "augment": "shift_flip", "weight_decay": 1e-4}
_CIFAR_TRAINING = {"epochs": 20, "batch_size": 128, "lr": 0.1, "weight_decay": 5e-4, "augment": "pad_crop_flip"}


def _clothes(data: str, train_images: int, epochs: Mapping[str, int]) -> Benchmark:
    """Fashion-MNIST, whole or in part: both networks ship."""
    return Benchmark(
        data,
        Origin("mobilenet_v1", _CLOTHES | {"width": 0.25, "stem_stride": 1}),
        Origin("resnet20", _CLOTHES),
        train_images,
        epochs,
        _AS_TRAINED,
    )


BENCHMARKS = {
    benchmark.data: benchmark
    for benchmark in (
        _clothes("fashion_mnist", 60_000, {"prune": 4, "quant": 1, "recipes": 4}),
        _clothes("fashion_mnist_mini", 10_000, {"prune": 8, "quant": 4, "recipes": 8}),
        Benchmark(
            "cifar10",
            Origin(
                "mobilenet_v1",
                # The last map is 4×4, not 2×2: at 32×32 the paper's strides lose too much of the image.
                {"num_classes": 10, "width": 0.5, "stem_stride": 1, "strides": [1, 2, 1, 2, 1, 1, 1, 1, 1, 1, 1, 2, 1]},
                _CIFAR_TRAINING,
            ),
            Origin("resnet20", {"num_classes": 10}, _CIFAR_TRAINING),
            50_000,
            {"prune": 8, "quant": 8, "recipes": 8},
            {"batch_size": 128, "augment": "pad_crop_flip", "weight_decay": 5e-4},
        ),
    )
}


def benchmark(data: str) -> Benchmark:
    """The benchmark of a data set.

    Examples
    --------
    >>> benchmark("cifar10").baseline.network
    'mobilenet_v1'
    """
    if data not in BENCHMARKS:
        raise ValueError(f"`data` (={data!r}) has no tables{nearest(str(data), BENCHMARKS)}")
    return BENCHMARKS[data]
