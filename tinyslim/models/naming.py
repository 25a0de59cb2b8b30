"""A network of the zoo from its name and its settings, as a command line or a TOML file gives them."""

from __future__ import annotations

import inspect

from tinyslim import models
from tinyslim.naming import nearest
from tinyslim.nn import Module

#: Whoever makes a network from settings, and not from a file.
NETWORKS = [name for name in models.__all__ if name != "from_onnx"]


def network(name: str, settings: dict) -> Module:
    """The network of the zoo called `name`, made with `settings`.

    Raises
    ------
    ValueError
        Names the nearest network or setting where there is none of that name.

    Examples
    --------
    >>> network("mobilenet_v1", {"width": 0.25, "num_classes": 10}).classifier
    Linear(weight (256, 10), bias (10,))
    >>> network("mobilenet_v1", {"widht": 0.25})
    Traceback (most recent call last):
    ValueError: mobilenet_v1 has no setting 'widht'; did you mean 'width'?
    """
    if name not in NETWORKS:
        raise ValueError(f"no network is called {name!r}{nearest(name, NETWORKS)}")
    make = getattr(models, name)
    known = list(inspect.signature(make).parameters)
    for key in settings:
        if key not in known:
            raise ValueError(f"{name} has no setting {key!r}{nearest(key, known)}")
    return make(**settings)
