"""The end of a compression: freeze, measure, write."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyslim import deploy
from tinyslim.files import write_text_atomically
from tinyslim.graph import GraphModule
from tinyslim.report import save_compression_figure
from tinyslim.train import save

from .config import Config
from .context import Context
from .folder import CHECKPOINT, METRICS
from .measure import measure
from .run_page import run_page


@dataclass(frozen=True)
class Result:
    """What a compression made.

    Attributes
    ----------
    model : GraphModule
    program : Program
    metrics : dict
        Before and after: see `metrics.json` in `out`.
    history : list of dict
        One entry an epoch.
    out : Path
        The folder of all files.
    """

    model: GraphModule
    program: deploy.Program
    metrics: dict
    history: list[dict]
    out: Path


def finish(config: Config, context: Context, out: Path) -> Result:
    """Freeze the model, measure it and the one that came, and write everything to `out`.

    metrics.json comes last but for the checkpoint's end: a folder with it is a finished run.
    """
    measured = measure(context.original, context.model, context.example, context.test_set)
    program, metrics = measured.programs[1], measured.metrics
    metrics |= {
        "recipe": config.name,
        "strategies": {name: _without_arrays(state) for name, state in context.state.items()},
        "best": context.best,
        "seconds": sum(entry["seconds"] for entry in context.history),
        "history": context.history,
    }
    program.save(out / "program.npz")
    save(context.model, out / "model.npz")
    save_compression_figure(metrics, context.history, out / "compression.png")
    run_page(config, context, measured, out).save(out / "report.html")
    write_text_atomically(out / METRICS, json.dumps(metrics, indent=1) + "\n")
    (out / CHECKPOINT).unlink(missing_ok=True)
    return Result(context.model, program, metrics, context.history, out)


def _without_arrays(state: dict) -> dict:
    """What of a strategy's state goes into metrics.json."""
    return {key: value for key, value in state.items() if not isinstance(value, np.ndarray)}
