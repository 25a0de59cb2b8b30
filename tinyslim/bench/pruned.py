"""What pruning is worth in milliseconds: the same network whole, pruned, and pruned to widths that kernels like."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import numpy as np

from tinyslim import models, prune

from .comparison import OURS, Comparison, Row
from .kernel_tables import start
from .networks import Programs, programs_of, random_images
from .peers import Peers
from .timing import by_turns

WHOLE = "unpruned"


def compare_pruned(
    peers: Peers,
    repeats: int = 20,
    batches: Sequence[int] = (1, 16),
    side: int = 224,
    width: float = 1.0,
    num_classes: int = 1000,
    target_flops: float = 0.5,
    roundings: Sequence[int] = (8, 32),
) -> list[Comparison]:
    """Time Programs of MobileNetV1 from which the share `target_flops` of the FLOPs was removed, beside the whole one.

    Parameters
    ----------
    peers : Peers
        For its number of threads.
    repeats : int
    batches : sequence of int
    side : int
        Height and width of the images.
    width : float
    num_classes : int
    target_flops : float
    roundings : sequence of int
        Further pruned networks have widths that are multiples of these.
    """
    notes = start(peers)
    model = models.mobilenet_v1(num_classes=num_classes, width=width)
    example = np.zeros((1, side, side, 3), np.float32)
    programs = {WHOLE: programs_of(model, side)}
    for rounding in (1, *roundings):
        name = OURS if rounding == 1 else f"widths of {rounding}"
        begin = time.perf_counter()
        smaller = prune.uniform(model, example, target_flops, round_to=rounding)
        seconds = time.perf_counter() - begin
        programs[name] = programs_of(smaller, side)
        removed = 1 - programs[name].operations / programs[WHOLE].operations
        notes.append(f"{_widths(name)}: {removed:.2%} of the FLOPs removed, checked, in {seconds:.2f} s")
    rows = [_row(programs, kind, batch, repeats) for batch in batches for kind in ("float32", "int8")]
    title = f"MobileNetV1 {width}, images of {side}×{side}×3, −{target_flops:.0%} FLOPs (uniform, l1_norm)"
    return [Comparison(title, rows, notes=notes)]


def _widths(name: str) -> str:
    return "any widths (tinyslim)" if name == OURS else name


def _row(programs: dict[str, Programs], kind: str, batch: int, repeats: int) -> Row:
    x = random_images(batch, programs[WHOLE].float32.input_shape)
    timings = by_turns({name: partial(getattr(made, kind).run, x) for name, made in programs.items()}, repeats)
    whole = timings[WHOLE].median
    shares = {f"{_widths(name)} / {WHOLE}": timings[name].median / whole for name in programs if name != WHOLE}
    return Row(f"{kind}, batch {batch}", {name: timings[name] for name in (OURS, *timings)}, figures=shares)
