"""Before and after, measured on the Programs themselves."""

from __future__ import annotations

from dataclasses import asdict
from typing import NamedTuple

import numpy as np

from tinyslim import deploy, graph, lower
from tinyslim.nn import Module
from tinyslim.train import in_top, predict, scores, top1_difference


class Measured(NamedTuple):
    """Both Programs, before and after, their logits on the test set, and the numbers.

    Attributes
    ----------
    programs : pair of Program
    logits : pair of numpy.ndarray
        (n, classes) each.
    metrics : dict
        ``before`` and ``after``, each with top1, top5, params, flops, bytes, latency_ms; ``size_reduction`` and
        ``flops_reduction``, shares; ``difference``, that of top-1 with its 95 % interval and McNemar's p.
    """

    programs: tuple[deploy.Program, deploy.Program]
    logits: tuple[np.ndarray, np.ndarray]
    metrics: dict


def measure(original: Module, model: Module, example: np.ndarray, test_set) -> Measured:
    """Freeze both models and compare their Programs, on uint8 images, the whole test set.

    Parameters
    ----------
    original, model : Module
        As it came, and as it is now. The first becomes a float32 Program, the second an int8 one if it trained for it.
    example : numpy.ndarray
        One normalised image.
    test_set : Dataset
    """
    programs = tuple(lower.freeze(one, example, test_set.classes) for one in (original, model))
    logits = tuple(predict(program, test_set) for program in programs)
    right = [in_top(answer, test_set.labels, 1) for answer in logits]
    # One right after the other: what else the machine does then hits both.
    latencies = [deploy.latency(program, test_set.images[:1]) for program in programs]
    before, after = (
        _column(one, example, program, scores(answer, test_set.labels), latency)
        for one, program, answer, latency in zip((original, model), programs, logits, latencies, strict=True)
    )
    metrics = {
        "before": before,
        "after": after,
        "size_reduction": 1 - after["bytes"] / before["bytes"],
        "flops_reduction": 1 - after["flops"] / before["flops"],
        "difference": asdict(top1_difference(*right)),
        "test_images": len(test_set),
        "kind": programs[1].kind,
        "threads": latencies[1].threads,
    }
    return Measured(programs, logits, metrics)


def _column(model: Module, example: np.ndarray, program: deploy.Program, score: dict, latency: deploy.Latency) -> dict:
    counts = graph.summary(model, example)
    return {
        "top1": score["top1"],
        "top5": score["top5"],
        "params": counts.params,
        "flops": counts.flops,
        "bytes": program.nbytes,
        "latency_ms": latency.median,
    }


#: The closing table: key, heading, how a value is written, and whether its change is a ratio.
_ROWS = (
    ("top1", "top-1", "{:.2%}", False),
    ("top5", "top-5", "{:.2%}", False),
    ("params", "parameters", "{:,}", True),
    ("flops", "FLOPs an image", "{:,}", True),
    ("bytes", "bytes", "{:,}", True),
    ("latency_ms", "ms an image", "{:.3f}", True),
)


def rows(metrics: dict) -> list[tuple[str, str, str, str]]:
    """The closing table: its headings, and a row for each number."""
    made = [("", "before: float32", f"after: {metrics['kind']}", "change")]
    for key, heading, form, is_ratio in _ROWS:
        before, after = metrics["before"][key], metrics["after"][key]
        change = f"{after / before - 1:+.1%}" if is_ratio else f"{100 * (after - before):+.2f} points"
        made.append((heading, form.format(before), form.format(after), change))
    return made


def table(metrics: dict):
    """The closing table, for rich to print."""
    from rich.table import Table

    made = Table("", "before", "after", "change", title=f"before: float32 Program, after: {metrics['kind']} Program")
    for column in made.columns[1:]:
        column.justify = "right"
    for row in rows(metrics)[1:]:
        made.add_row(*row)
    return made


def verdict(metrics: dict) -> str:
    """Whether the difference in top-1 is real, in a sentence."""
    found = metrics["difference"]
    interval = f"{100 * found['low']:+.2f} … {100 * found['high']:+.2f}"
    real = "a real difference" if found["p_value"] < 0.05 else "no difference that this many images could show"
    return (
        f"top-1 {100 * found['change']:+.2f} points (95 % interval {interval}, McNemar's p = {found['p_value']:.2g}): "
        f"{real}; {metrics['test_images']:,} test images, {found['lost']} lost, {found['won']} won"
    )
