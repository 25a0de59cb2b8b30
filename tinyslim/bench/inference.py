"""Whole networks beside their peers: Programs of MobileNetV1, float32 and int8."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from .comparison import OURS, Comparison, Row
from .kernel_tables import start
from .networks import mobilenet_programs, random_images
from .onnx_networks import quantized, session, to_onnx
from .peers import Peers
from .timing import by_turns
from .torch_networks import torch_modes

#: How far logits of float32 networks may lie apart, of the largest; and how well those of int8 ones must correlate.
FLOAT_TOLERANCE, INT8_CORRELATION = 1e-3, 0.9
FLOAT, INT8 = "float32", "int8"


def compare_models(peers: Peers, repeats: int = 20, batches=(1, 16), side: int = 224, **settings) -> list[Comparison]:
    """Time MobileNetV1 as a float32 and as an int8 Program, and the same networks in the peers.

    The peers run our weights, and are timed only after their logits agree with ours.

    Parameters
    ----------
    peers : Peers
    repeats : int
    batches : sequence of int
    side : int
        Height and width of the images.
    **settings
        Those of `networks.mobilenet_programs`.
    """
    notes = start(peers)
    programs = mobilenet_programs(side, **settings)
    rows = []
    for batch in batches:
        x = random_images(batch, programs.float32.input_shape)
        contenders = {kind: {OURS: partial(getattr(programs, kind).run, x)} for kind in (FLOAT, INT8)}
        found, told = peer_networks(peers, programs.float32, x)
        notes += [note for note in told if note not in notes]
        for kind in contenders:
            check_logits(kind, contenders[kind][OURS](), found[kind])
            contenders[kind] |= found[kind]
        rows += _rows(f"batch {batch}", contenders, repeats, batch * programs.operations)
    title = f"MobileNetV1 {settings.get('width', 1.0)}, images of {side}×{side}×3"
    return [Comparison(title, rows, notes=notes)]


def _rows(work: str, contenders: dict[str, dict[str, Callable]], repeats: int, operations: int) -> list[Row]:
    """All contenders of one batch by turns, float32 and int8 together, so that ours can be compared too."""
    functions = {(kind, name): run for kind, runs in contenders.items() for name, run in runs.items()}
    timings = by_turns(functions, repeats)
    rows = []
    for kind, runs in contenders.items():
        mine = {name: timings[kind, name] for name in runs}
        figures = {}
        if kind == INT8:
            figures = {"ours, int8 / float32": mine[OURS].median / timings[FLOAT, OURS].median}
        rows.append(Row(f"{kind}, {work}", mine, operations, figures))
    return rows


def peer_networks(peers: Peers, program, x: np.ndarray) -> tuple[dict[str, dict[str, Callable]], list[str]]:
    """By kind and name, functions that give the peers' logits for images x; and notes."""
    functions: dict[str, dict[str, Callable]] = {FLOAT: {}, INT8: {}}
    notes = []
    if peers.torch:
        functions[FLOAT], notes = torch_modes(peers, program, x)
    if peers.onnxruntime:
        model, images = to_onnx(program, len(x)), np.ascontiguousarray(x.transpose(0, 3, 1, 2))
        functions[FLOAT]["ONNX Runtime"] = _runner(session(peers, model), images)
        for activations in ("QUInt8", "QInt8"):
            run, operators = quantized(peers, model, images, activations)
            name = f"ONNX Runtime {activations[1:].lower()}"
            functions[INT8][name] = _runner(run, images)
            done = operators.get("QLinearConv", 0)
            notes.append(f"{name}: {done} convolutions in integers, {operators.get('Conv', 0)} in float32")
    return functions, notes


def _runner(session, images: np.ndarray) -> Callable[[], np.ndarray]:
    return lambda: session.run(None, {"images": images})[0]


def check_logits(kind: str, ours: np.ndarray, contenders: dict[str, Callable[[], np.ndarray]]) -> None:
    """Raise ValueError for a peer that does not compute what we do: it would be another piece of work."""
    for name, run in contenders.items():
        theirs = np.asarray(run())
        if kind == FLOAT:
            error = np.abs(ours - theirs).max() / np.abs(ours).max()
            if not error <= FLOAT_TOLERANCE:
                raise ValueError(
                    f"{name} gives other logits than the Program: they differ by {error:.1%} of the largest"
                )
            continue
        correlation = np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]
        if not correlation >= INT8_CORRELATION:
            raise ValueError(f"{name} gives other logits than the Program: their correlation is {correlation:.3f}")
