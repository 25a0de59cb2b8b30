"""The report of a compression: what was done, what came of it, layer by layer and image by image."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

from tinyslim import deploy, prune, quant, report
from tinyslim.report import Page, Picture, Section

from .config import Config
from .context import Context
from .measure import Measured, rows, verdict
from .plan import plan

#: Images on which before and after disagree.
EXAMPLES = 10
#: Images that the noise of rounding is measured on.
DIAGNOSED = 64
#: Columns of small pictures that a telephone has room for.
COLUMNS = 2


def run_page(config: Config, context: Context, measured: Measured, out) -> Page:
    """The report of a finished run.

    Parameters
    ----------
    config : Config
    context : Context
        As the run left it.
    measured : Measured
    out : Path
        The run's folder.
    """
    metrics = measured.metrics
    sections = [
        Section("Before and after", [f"{verdict(metrics)}."], rows(metrics), _outcome(context, metrics)),
        Section("What was done", listing=plan(config, context, context.train_set, out)),
        *(section for name, state in context.state.items() for section in _pruning(name, state)),
        *(_quantization(name, state, context) for name, state in context.state.items() if "ranges" in state),
        _time(measured, context),
        _answers(measured, context),
        Section(
            "The config", ["Every default is written out; the same text lies in config.json."], listing=config.as_json()
        ),
    ]
    change = f"{100 * metrics['difference']['change']:+.2f}".replace("-", "−")
    subtitle = (
        f"{metrics['size_reduction']:.1%} smaller, {metrics['flops_reduction']:.1%} fewer FLOPs, "
        f"top-1 {change} points on {metrics['test_images']:,} test images"
    )
    return Page(f"tinyslim compress {config.name}", subtitle, [section for section in sections if section is not None])


def _outcome(context: Context, metrics: dict) -> list[Picture]:
    before, after = metrics["before"], metrics["after"]
    told = (
        f"Top-1 and size of the Program: {100 * before['top1']:.2f} % at {before['bytes']:,} bytes before, "
        f"{100 * after['top1']:.2f} % at {after['bytes']:,} bytes after."
    )
    figures = [Picture.of(report.trade_off_figure(metrics), told)]
    if context.history:
        curve = report.training_figure(context.history, before["top1"])
        figures.append(Picture.of(curve, f"Top-1 over the {len(context.history)} epochs of training."))
    return figures


def _pruning(name: str, state: Mapping) -> list[Section]:
    """What one strategy found out about filters, and what it took away; nothing for those that prune none."""
    if "widths" not in state:
        return []
    widths = {layer: tuple(pair) for layer, pair in state["widths"].items()}
    bars = report.layers_figure(widths, "channels")
    figures = [Picture.of(bars, f"Channels of each layer before and after {name}.")]
    for number, found in enumerate(state.get("sensitivities", []), 1):
        figure = report.sensitivity_figure(*_sensitivity(found), columns=COLUMNS)
        which = f", cut {number}" if len(state["sensitivities"]) > 1 else ""
        text = f"What each group of channels is worth{which}: top-1 on training images, the rest of the network whole."
        figures.append(Picture.of(figure, text))
    if "trials" in state:
        trials = [SimpleNamespace(**trial) for trial in state["trials"]]
        figure = report.search_figure(trials, width=report.NARROW)
        figures.append(Picture.of(figure, f"The {len(trials)} networks that the search tried."))
    told = f"{state['achieved']:.2%} of the FLOPs went; {state['requested']:.2%} were asked for."
    return [Section(f"Pruning: {name}", [told], figures=figures)]


def _quantization(name: str, state: Mapping, context: Context) -> Section:
    """How loud the rounding of each layer is, and how the grids moved while the network trained with it."""
    images = context.test_set.normalized(slice(0, DIAGNOSED), context.model.preprocessing)
    found, ends = quant.diagnose(context.model, images), state["ranges"]
    noise = report.noise_figure(found, width=report.NARROW)
    epochs = max(map(len, ends.values()))
    figures = [
        Picture.of(noise, f"Signal-to-quantisation-noise ratio of each layer, on {len(images)} test images."),
        Picture.of(report.ranges_figure(ends, width=report.NARROW), f"The ends of the grids over {epochs} epochs."),
    ]
    told = "6 dB are one bit. `tinyslim quant-report` on this run's folder measures each layer's loss of top-1 as well."
    return Section(f"Quantisation: {name}", [told], figures=figures)


def _sensitivity(found: Mapping) -> tuple[SimpleNamespace, SimpleNamespace]:
    """A sensitivity and the plan that was made of it, as pictures want them, from a strategy's state."""
    groups = {
        name: prune.GroupSensitivity(
            name, group["width"], found["baseline"], [prune.Measurement(**one) for one in group["measurements"]]
        )
        for name, group in found["groups"].items()
    }
    return SimpleNamespace(groups=groups), SimpleNamespace(level=found["level"], ratios=found["ratios"])


def _time(measured: Measured, context: Context) -> Section:
    image = context.test_set.images[:1]
    before, after = (
        {op.name: 1e3 * op.milliseconds for op in deploy.latency_by_op(one, image)} for one in measured.programs
    )
    pairs = {name: (before.get(name, 0.0), after.get(name, 0.0)) for name in [*after, *(before.keys() - after.keys())]}
    told = (
        "One image, one thread: how much later a run ends with a layer than without it. "
        f"Together {sum(before.values()):.0f} µs before, {sum(after.values()):.0f} µs after."
    )
    figure = report.layers_figure(pairs, "microseconds", "{:,.1f}")
    return Section("Where the time goes", figures=[Picture.of(figure, told)])


def _answers(measured: Measured, context: Context) -> Section | None:
    test = context.test_set
    found = report.disagreements(
        test.images, test.labels, test.classes, dict(zip(("before", "after"), measured.logits, strict=True)), EXAMPLES
    )
    if not found:
        return None
    told = "Where before and after give other answers, and both are surest of theirs; ✓ is the label."
    return Section("Images on which they disagree", [told], answers=found)
