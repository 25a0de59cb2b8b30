"""A network in one file, architecture included: it loads without the class that made it."""

from __future__ import annotations

import io
import json

import numpy as np

from tinyslim.graph import GraphModule, from_json, to_json, to_module, trace
from tinyslim.nn import Module

from .archive import pack, read_archive, unpack, write_archive


def as_graph_module(model: Module, example=None) -> GraphModule:
    """`model` as a running graph; one that is a graph already is returned as it is.

    Parameters
    ----------
    model : Module
    example : array, optional
        A batch that the model takes; by default one zero image of the size that it saw last.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import nn, train
    >>> running = train.as_graph_module(nn.Sequential(nn.Linear(3, 2)), np.ones((1, 3), np.float32))
    >>> train.as_graph_module(running) is running
    True
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
    write_archive(path, *_contents(model, example))


def to_bytes(model: Module, example=None) -> bytes:
    """What `save` writes, to be sent to another process.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import nn, train
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(4, 2))
    >>> again = train.from_bytes(train.to_bytes(net, np.zeros((1, 8, 8, 1), np.float32)))
    >>> bool((again.get("0").weight.data == net.get("0").weight.data).all())
    True
    """
    return pack(*_contents(model, example))


def _contents(model: Module, example) -> tuple[str, dict, dict[str, np.ndarray]]:
    running = as_graph_module(model, example)
    return "model", {"architecture": to_json(running)}, running.state_dict()


def load(path) -> GraphModule:
    """The model that `save` wrote, in eval mode.

    Raises
    ------
    FileNotFoundError
    ValueError
        When the file is not a model, is damaged, or holds a layer that is unknown here.
    """
    return _restore(*read_archive(path, "model"))


def from_bytes(contents: bytes) -> GraphModule:
    """The model that `to_bytes` was given, in eval mode.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import nn, train
    >>> x = np.ones((1, 3), np.float32)
    >>> train.from_bytes(train.to_bytes(nn.Sequential(nn.Linear(3, 2)), x))(x).shape
    (1, 2)
    """
    return _restore(*unpack(io.BytesIO(contents), "model", "what was sent"))


def _restore(header: dict, arrays: dict[str, np.ndarray]) -> GraphModule:
    model = from_json(header["architecture"], arrays)
    model.eval()
    return model


def canonical(model: Module, example: np.ndarray) -> GraphModule:
    """A copy of `model` as a file would give it back.

    Names, and so arrays and optimizer buffers, may come out of a file in another order than they went in. Taking every
    model through this lets an unbroken run go the way of a resumed one, and shows at once what can't be saved.
    """
    running = as_graph_module(model, example)
    header = json.loads(json.dumps(to_json(running), sort_keys=True))
    return from_json(header, {name: array.copy() for name, array in running.state_dict().items()})
