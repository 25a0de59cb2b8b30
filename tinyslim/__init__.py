"""tinyslim: how model compression works, from a Python loop to an int8 MobileNet, in code that can be read and run.

The public names below are imported when they are first used (PEP 562), so that a lesson about kernels does not wait for
the training loop.
"""

from importlib import import_module

__version__ = "0.1.0"

#: Where each public name comes from; None: it is a module of its own.
_PUBLIC = {
    "Compressor": "compress",
    "Tensor": "autograd",
    "autograd": None,
    "compress": None,
    "course": None,
    "data": None,
    "deploy": None,
    "distill": None,
    "freeze": "lower",
    "functional": None,
    "gradcheck": "autograd",
    "graph": None,
    "kernels": None,
    "lower": None,
    "models": None,
    "nn": None,
    "no_grad": "autograd",
    "optim": None,
    "prune": None,
    "quant": None,
    "report": None,
    "train": None,
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'tinyslim' has no attribute {name!r}; it has {', '.join(_PUBLIC)}")
    room = _PUBLIC[name]
    value = import_module(f"tinyslim.{name}") if room is None else getattr(import_module(f"tinyslim.{room}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
