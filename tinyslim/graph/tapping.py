"""Taps: what lies between a network's input and its output, by module path, while it runs as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tinyslim.autograd import Tensor
from tinyslim.naming import nearest
from tinyslim.nn import Module, listening

from .places import numbered, tappable


@contextmanager
def taps(model: Module, paths: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """Inside the `with` block, each forward pass of `model` leaves what the modules at `paths` returned.

    Neither the model nor its code changes. The same paths hold in a network of classes, in the running graph that was
    made of it, and after pruning or the insertion of fake quantisers (a result is then that before its rounding).

    Parameters
    ----------
    model : Module
    paths
        Paths of layers or blocks, as ``model.named_modules()`` has them. ``path:1`` is the second call of a module.

    Yields
    ------
    dict of Tensor
        By path; gradients flow through them as through the network.

    Raises
    ------
    ValueError
        When a path leads nowhere: names the nearest that do. At the end of a pass in which a module was not called.

    Examples
    --------
    >>> import numpy as np
    >>> from tinyslim import graph, models
    >>> net = models.mobilenet_v1(num_classes=10, width=0.25, stem_stride=1).eval()
    >>> with graph.taps(net, ["blocks.5", "blocks.12.pointwise.conv"]) as maps:
    ...     logits = net(np.zeros((1, 32, 32, 3)))
    >>> {path: tensor.shape for path, tensor in maps.items()}
    {'blocks.5': (1, 4, 4, 128), 'blocks.12.pointwise.conv': (1, 2, 2, 256)}
    """
    paths = list(paths)
    names = _names_of(model, paths)
    found: dict[str, Tensor] = {}
    calls: Counter[str] = Counter()

    def note(place: object, result: Tensor) -> None:
        for name in names.get(place, ()):
            path = numbered(name, calls[name])
            calls[name] += 1
            if path in paths:
                found[path] = result
        if place is model:
            calls.clear()
            if missing := [path for path in paths if path not in found]:
                raise ValueError(f"{type(model).__name__} did not call {', '.join(map(repr, missing))} in this pass")

    with listening(note):
        yield found


def _names_of(model: Module, paths: list[str]) -> dict[object, list[str]]:
    """The places that `paths` lead to, each with the paths that count its calls."""
    known = tappable(model)
    names: dict[object, list[str]] = {}
    for path in dict.fromkeys(paths):
        name = path if path in known else path.rpartition(":")[0]
        if name not in known:
            raise ValueError(f"{type(model).__name__} has no module at {path!r}{nearest(path, known)}")
        if name not in names.setdefault(known[name], []):
            names[known[name]].append(name)
    return names
