"""From a network that trains to a Program that runs."""

from __future__ import annotations

from tinyslim import deploy
from tinyslim.graph import trace
from tinyslim.nn import Module
from tinyslim.quant import float_layers, is_prepared

from .to_float32 import lower_float32
from .to_int8 import lower_int8
from .to_mixed import lower_mixed


def freeze(model: Module, example, classes=None) -> deploy.Program:
    """Lower `model`: a plain one to a float32 Program, one prepared for quantisation to an int8 Program, or, where
    some of its layers stay in float32, to a mixed one.

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
    kind = "float32" if not is_prepared(graph) else "mixed" if float_layers(graph) else "int8"
    builder = deploy.Builder(kind, graph.input.shape[1:], model.preprocessing, classes)
    LOWERINGS[kind](graph, builder)
    return builder.build()


#: By the kind of Program.
LOWERINGS = {"float32": lower_float32, "int8": lower_int8, "mixed": lower_mixed}
