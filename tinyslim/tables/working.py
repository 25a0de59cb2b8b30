"""How rows are worked out: a network is trained, or the Compressor does what a config says. Both resume by epoch."""

from __future__ import annotations

import json

from tinyslim import train
from tinyslim.compress import Compressor, read_config
from tinyslim.compress.folder import METRICS
from tinyslim.compress.measure import measure
from tinyslim.models.naming import network

from .rows import Outcome, Scene

#: The file in a trial's folder with the weights that other rows start from.
WEIGHTS = "model.npz"


def compress(scene: Scene) -> Outcome:
    """Let the Compressor do what the plan, a config, says with the baseline."""
    config = read_config(scene.plan)
    finished = scene.folder / METRICS
    # A kill may come after the run has ended and before its numbers were taken over.
    if not finished.exists():
        Compressor(
            scene.model,
            scene.train_set,
            scene.test_set,
            config,
            out=scene.folder,
            teacher=scene.teacher,
            resume=True,
            quiet=True,
        ).run()
    metrics = json.loads(finished.read_text())
    history, seconds = metrics.pop("history"), metrics.pop("seconds")
    after_cuts = [entry["top1_after_cut"] for entry in history if "top1_after_cut" in entry]
    # Of several cuts the last: the epochs between had mended the others.
    metrics["top1_after_cut"] = after_cuts[-1] if after_cuts else None
    return Outcome(metrics, history, seconds, config.as_dict())


def originate(scene: Scene) -> Outcome:
    """Make the network that the plan, an `Origin`, describes: take the weights that ship, or train."""
    name, training = scene.plan["network"], scene.plan["training"]
    seeded = {} if training is None else {"seed": scene.seed, "in_channels": scene.train_set.images.shape[3]}
    model, history = network(name, scene.plan["settings"] | seeded), []
    if training is not None:
        history = train.fit(
            model,
            scene.train_set,
            test_set=scene.test_set,
            out=scene.folder,
            seed=scene.seed,
            resume=True,
            quiet=True,
            **training,
        )
    example = scene.train_set.normalized(slice(0, 1), model.preprocessing)
    # As a file gives it back: all rows start from that, wherever they run.
    model = train.canonical(model, example)
    train.save(model, scene.folder / WEIGHTS, example)
    metrics = measure(model, model, example, scene.test_set).metrics
    seconds = sum(entry["seconds"] for entry in history)
    return Outcome(metrics, history, seconds, scene.plan, train.model_digest(model, example))
