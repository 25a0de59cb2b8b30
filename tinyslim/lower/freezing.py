"""From a network that trains to a Program that runs."""

from __future__ import annotations

from tinyslim import deploy
from tinyslim.graph import trace
from tinyslim.nn import Module
from tinyslim.quant import is_prepared

from .to_float32 import lower_float32
from .to_int8 import lower_int8


def freeze(model: Module, example, classes=None) -> deploy.Program:
    """Lower `model`: a plain one to a float32 Program, one prepared for quantisation to an int8 Program.

    Parameters
    ----------
    model : Module
        Its `preprocessing` goes into the Program, which then takes uint8 images too.
    example : array
        A batch (n, h, w, c) of the size that the Program will take.
    classes : sequence of str, optional
        Names of the classes, for the Program's header.

    Returns
    -------
    deploy.Program

    Raises
    ------
    ValueError
        Names the first node that a Program can't compute.

    Examples
    --------
    >>> import numpy as np
    >>> import tinyslim
    >>> from tinyslim import nn
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(4, 2))
    >>> program = tinyslim.freeze(net, np.zeros((1, 8, 8, 1)))
    >>> [op.kind for op in program.ops]
    ['conv2d', 'global_avg_pool2d', 'linear']
    """
    graph = trace(model, example)
    prepared = is_prepared(graph)
    builder = deploy.Builder("int8" if prepared else "float32", graph.input.shape[1:], model.preprocessing, classes)
    (lower_int8 if prepared else lower_float32)(graph, builder)
    return builder.build()
