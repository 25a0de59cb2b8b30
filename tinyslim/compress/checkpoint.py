"""One file after each epoch, from which a killed compression goes on to the very numbers of an unbroken one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinyslim.autograd import Tensor
from tinyslim.graph import from_json, to_json
from tinyslim.train import arrays_under, differences, read_archive, write_archive

if TYPE_CHECKING:
    from .context import Context

KIND = "compression"


def write_checkpoint(path: Path, context: Context, identity: dict) -> None:
    """Write all that the rest of the run follows from.

    Parameters
    ----------
    path : Path
    context : Context
    identity : dict
        What the run is: texts and numbers by name, which `read_checkpoint` compares.
    """
    arrays = {f"model/{name}": array for name, array in context.model.state_dict().items()}
    arrays |= {f"optimizer/{name}": array for name, array in context.optimizer.state_dict().items()}
    # A list, not a table: the optimizer's buffers are known by their parameter's position.
    beside = [(strategy, name, tensor) for strategy, own in context.beside.items() for name, tensor in own.items()]
    arrays |= {f"beside/{place}": tensor.data for place, (_, _, tensor) in enumerate(beside)}
    plain = {}
    for strategy, state in context.state.items():
        plain[strategy] = {key: value for key, value in state.items() if not isinstance(value, np.ndarray)}
        arrays |= {f"state/{strategy}/{key}": value for key, value in state.items() if isinstance(value, np.ndarray)}
    header = {
        "identity": identity,
        "architecture": to_json(context.model),
        "epoch": context.epoch,
        "history": context.history,
        "best": context.best,
        "state": _json_values(plain),
        "beside": [(strategy, name) for strategy, name, _ in beside],
    }
    write_archive(path, KIND, header, arrays)


def read_checkpoint(path: Path, context: Context, identity: dict) -> None:
    """Put `context` where the checkpoint was.

    Raises
    ------
    ValueError
        When the checkpoint is another run's: names every difference. When it is damaged.
    """
    header, arrays = read_archive(path, KIND)
    if told := differences(header["identity"], identity):
        raise ValueError(f"the checkpoint {str(path)!r} belongs to another run: {told}")
    context.model = from_json(header["architecture"], arrays_under("model/", arrays))
    context.beside = {}
    for place, (strategy, name) in enumerate(header["beside"]):
        own = context.beside.setdefault(strategy, {})
        own[name] = Tensor(arrays[f"beside/{place}"], requires_grad=True)
    context.renew_optimizer()
    context.optimizer.load_state_dict(arrays_under("optimizer/", arrays))
    context.epoch, context.history, context.best = header["epoch"], header["history"], header["best"]
    for strategy, state in header["state"].items():
        context.state[strategy] = state | arrays_under(f"state/{strategy}/", arrays)


def _json_values(state: dict[str, dict]) -> dict:
    """`state` as JSON gives it back, or an error that says which value it can't."""
    for strategy, values in state.items():
        for key, value in values.items():
            try:
                same = json.loads(json.dumps(value)) == value
            except TypeError:
                same = False
            if not same:
                where = f"context.state[{strategy!r}][{key!r}]"
                raise TypeError(f"`{where}` (={value!r}) can't be saved: use numbers, strings, lists, arrays")
    return state
