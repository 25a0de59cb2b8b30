"""What commands name on their line: data sets, models, files of either kind."""

from __future__ import annotations

from pathlib import Path

DATA_HELP = "a data set by name, or a folder with train/CLASS/*.png and test/CLASS/*.png (default: %(default)s)"


def data_sets(name: str):
    """The training set and the test set called `name`, or those below the folder `name`."""
    from tinyslim.data.naming import data_sets

    return data_sets(name)


#: Ends of names that are files, not networks.
FILES = (".npz", ".onnx")


def model_file(path: str):
    """The model that `train.save` wrote to `path`, or the network of a file that ends in .onnx.

    Raises
    ------
    FileNotFoundError
    ValueError
        When the file is neither.
    """
    from tinyslim import models, train

    return models.from_onnx(path) if path.endswith(".onnx") else train.load(path)


def model_or_program(path: str):
    """What `model_file` gives, or the Program that `Program.save` wrote.

    Raises
    ------
    FileNotFoundError
    ValueError
        When the file is neither.
    """
    from tinyslim import deploy, train

    if not Path(path).exists():
        raise FileNotFoundError(f"there is no file {path!r}")
    if path.endswith(".onnx"):
        return model_file(path)
    faults = []
    for load in (train.load, deploy.load):
        try:
            return load(path)
        except ValueError as error:
            faults.append(error)
    raise ValueError(f"{path!r} is neither a model nor a Program: {faults[0]}; {faults[1]}")


def shipped_model():
    """The network that commands take when none is named: MobileNetV1 at width 0.25, trained on Fashion-MNIST."""
    from tinyslim import models

    return models.mobilenet_v1(num_classes=10, width=0.25, in_channels=1, stem_stride=1, pretrained="fashion_mnist")
