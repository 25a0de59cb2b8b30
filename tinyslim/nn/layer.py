"""Layer: a module that is one operation, so that a graph can hold it, save it and make it anew without its caller."""

from __future__ import annotations

import numpy as np

from tinyslim.autograd import Tensor

from .module import Module

#: Every layer class by name.
LAYERS: dict[str, type[Layer]] = {}


class Layer(Module):
    """A module whose call is one node of a graph.

    A subclass names its operation and the attributes that, beside its arrays, say all about it. Widths are read off the
    arrays, never stored: a pruned layer cannot contradict itself. An array that may be left out (a bias) needs a
    default on the class, since `from_config` sets only those that there are; so does a setting that files of an earlier
    version lack.
    """

    #: The operation that a graph shows for a call of this layer.
    op: str = ""
    #: Names of attributes (JSON values) that a copy of this layer needs.
    settings: tuple[str, ...] = ()

    def __init_subclass__(cls, **keywords):
        super().__init_subclass__(**keywords)
        LAYERS[cls.__name__] = cls

    @property
    def attributes(self) -> dict:
        """The settings by name."""
        return {name: getattr(self, name) for name in self.settings}

    def config(self) -> dict:
        """The class and settings, and which arrays are parameters and which buffers: JSON values."""
        return {
            "class": type(self).__name__,
            "room": type(self).__module__.split(".")[1] if type(self).__module__.startswith("tinyslim.") else "",
            "settings": self.attributes,
            "parameters": [name for name, value in vars(self).items() if isinstance(value, Tensor)],
            "buffers": [name for name, value in vars(self).items() if isinstance(value, np.ndarray)],
        }

    @classmethod
    def from_config(cls, config: dict, arrays: dict[str, np.ndarray]) -> Layer:
        """A layer of this class with these settings and arrays; `__init__` is not run.

        Parameters
        ----------
        config
            What `config` returned.
        arrays
            By the names of the parameters and buffers.
        """
        layer = cls.__new__(cls)
        for name in cls.settings:
            value = config["settings"][name] if name in config["settings"] else getattr(cls, name)
            setattr(layer, name, tuple(value) if isinstance(value, list) else value)
        for name in config["parameters"]:
            setattr(layer, name, Tensor(arrays[name], requires_grad=True))
        for name in config["buffers"]:
            setattr(layer, name, np.array(arrays[name]))
        return layer

    def describe(self) -> str:
        shapes = [f"{name} {value.shape}" for name, value in vars(self).items() if isinstance(value, Tensor)]
        return ", ".join(shapes + [f"{name}={value}" for name, value in self.attributes.items()])
