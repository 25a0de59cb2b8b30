"""``tinyslim quant-report``: which layers lose what to quantisation, in numbers and in pictures."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from .loading import DATA_HELP, data_sets, shipped_model

_EXAMPLE = """\
examples:
  tinyslim quant-report                                  the shipped MobileNet, a minute
  tinyslim quant-report runs/quant                       a run of the Compressor: with its ranges by epoch
  tinyslim quant-report model.npz --data photos --bits 4 what 4 bits would do to a network that is still in float32"""


def add_to(commands) -> argparse.ArgumentParser:
    """Describe the arguments."""
    parser = commands.add_parser(
        "quant-report",
        help="noise, loss of top-1, ranges and histograms of each quantised layer",
        description="Measure what rounding does to each layer by itself and to the network, and draw it. A network "
        "that was not quantised yet gets its ranges from some training images first.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model", metavar="FILE|RUN", nargs="?", help="a model.npz, or the folder of a run (default: the one that ships)"
    )
    parser.add_argument("--data", default="fashion_mnist_mini", help=DATA_HELP)
    parser.add_argument("--images", type=int, default=1000, help="of the test set, for top-1 (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of which images (default: %(default)s)")
    parser.add_argument("--bits", type=int, help="of weights and activations, for a float network (default: 8)")
    parser.add_argument("--out", default="quant_report", help="a folder for what is made (default: %(default)s)")
    return parser


#: Images for histograms and noise, and batches of so many that a float network gets its ranges from.
SEEN, BATCHES = 64, 8


def run(arguments: argparse.Namespace) -> None:
    """Measure, print a table; leaves report.json and the pictures in the folder."""
    from dataclasses import replace

    from tinyslim import quant, report, train
    from tinyslim.files import write_text_atomically

    if arguments.images < 1:
        raise ValueError(f"`--images` (={arguments.images}) must be at least 1")
    train_set, test_set = data_sets(arguments.data)
    model = _prepared(arguments, train_set)
    some = test_set.subset(min(arguments.images, len(test_set)), arguments.seed)
    images = train_set.normalized(slice(0, SEEN), model.preprocessing)
    with train.Progress(1) as progress:
        found = quant.diagnose(
            model,
            images,
            evaluate=lambda network: train.evaluate(network, some)["top1"],
            on_layer=lambda done, of: progress.work(done, of, f"layer {done} of {of}"),
        )
    found = replace(found, ranges=_ranges_by_epoch(arguments.model))
    out = Path(arguments.out)
    numbers = {"images": len(some), "seed": arguments.seed, **found.as_dict()}
    write_text_atomically(out / "report.json", json.dumps(numbers, indent=1) + "\n")
    paths = report.save_quantization_figures(found, out)
    print(f"{found}\nsee {out / 'report.json'}, {', '.join(path.name for path in paths)}")


def _prepared(arguments: argparse.Namespace, train_set):
    """The model that was asked for, with quantisers whose ranges are known."""
    from tinyslim import graph, quant, train

    model = train.load(_model_file(arguments.model)) if arguments.model else shipped_model()
    example = train_set.normalized(slice(0, 1), model.preprocessing)
    if quant.is_prepared(graph.trace(model, example)):
        if arguments.bits is not None:
            raise ValueError(f"`--bits` (={arguments.bits}) is for float networks; {arguments.model} is quantised")
        return model
    bits = 8 if arguments.bits is None else arguments.bits
    prepared = quant.prepare(model, example, weight_bits=bits, activation_bits=bits)
    return _with_ranges(prepared, train_set)


def _with_ranges(prepared, train_set):
    """Let the quantisers, and nothing else, watch some training images."""
    from tinyslim import quant
    from tinyslim.autograd import no_grad

    prepared.eval()
    quantizers = [layer for layer in prepared.modules() if isinstance(layer, quant.ActivationQuantizer)]
    for quantizer in quantizers:
        quantizer.train()
    with no_grad():
        for start in range(0, min(SEEN * BATCHES, len(train_set)), SEEN):
            prepared(train_set.normalized(slice(start, start + SEEN), prepared.preprocessing))
    return prepared.eval()


def _model_file(path: str) -> Path:
    return Path(path) / "model.npz" if Path(path).is_dir() else Path(path)


def _ranges_by_epoch(path: str | None) -> dict:
    """What the Compressor noted of the ranges, if the model is of one of its runs."""
    metrics = _model_file(path).with_name("metrics.json") if path else None
    if metrics is None or not metrics.exists():
        return {}
    strategies = json.loads(metrics.read_text()).get("strategies", {})
    return next((state["ranges"] for state in strategies.values() if "ranges" in state), {})
