"""A network in one file, architecture included: it loads without the class that made it."""

from __future__ import annotations

import numpy as np

from tinyslim.graph import GraphModule, from_json, to_json, to_module, trace
from tinyslim.nn import Module

from .archive import read_archive, write_archive


def as_graph_module(model: Module, example=None) -> GraphModule:
    """`model` as a running graph; one that is a graph already is returned as it is.

    Parameters
    ----------
    model : Module
    example : array, optional
        A batch that the model takes; by default one zero image of the size that it saw last.
    """
    if isinstance(model, GraphModule):
        return model
    if example is None:
        if model.input_shape is None:
            raise ValueError("`model` has not seen an image yet: give an `example` (n, h, w, c), or call it once")
        example = np.zeros((1, *model.input_shape), np.float32)
    return to_module(trace(model, example))


def save(model: Module, path, example=None) -> None:
    """Write `model` with its architecture to one file.

    Parameters
    ----------
    model : Module
    path : str or Path
        Ends in ``.npz`` by custom.
    example : array, optional
        Needed only for a model that has never seen an image.

    Examples
    --------
    >>> import tempfile, os
    >>> from tinyslim import models, train
    >>> path = os.path.join(tempfile.mkdtemp(), "model.npz")
    >>> train.save(models.mobilenet_v1(num_classes=10, width=0.25, stem_stride=1), path)
    >>> train.load(path).classifier.weight.shape
    (256, 10)
    """
    running = as_graph_module(model, example)
    write_archive(path, "model", {"architecture": to_json(running)}, running.state_dict())


def load(path) -> GraphModule:
    """The model that `save` wrote, in eval mode.

    Raises
    ------
    FileNotFoundError
    ValueError
        When the file is not a model, is damaged, or holds a layer that is unknown here.
    """
    header, arrays = read_archive(path, "model")
    model = from_json(header["architecture"], arrays)
    model.eval()
    return model
