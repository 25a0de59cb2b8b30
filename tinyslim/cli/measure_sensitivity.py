"""``tinyslim sensitivity``: what the channels of each layer are worth, and which of them could go."""

from __future__ import annotations

import argparse
from pathlib import Path

from .executors import add_executor, chosen_executor
from .loading import DATA_HELP, FILES, data_sets, model_file, shipped_model
from .settings import add_set

_EXAMPLE = """\
examples:
  tinyslim sensitivity                                         the shipped MobileNet, a minute
  tinyslim sensitivity resnet20 --set pretrained=fashion_mnist --png sensitivity.png
  tinyslim sensitivity runs/mine/model.npz --data cifar10 --images 5000 --workers 4
  tinyslim sensitivity --dask tcp://10.0.0.1:8786              on a cluster; a lost worker's trials run again"""


def add_to(commands) -> argparse.ArgumentParser:
    """Describe the arguments."""
    parser = commands.add_parser(
        "sensitivity",
        help="how much top-1 each layer's channels are worth, and suggested ratios",
        description="Cut a share of one layer's channels at a time and measure top-1 on the same training images. "
        "Everything is kept in a JSON file at once: the same command goes on where it was stopped.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model", metavar="FILE|MODEL", nargs="?",
        help="a model.npz, an .onnx, or a network by name (default: the one that ships)",
    )  # fmt: skip
    add_set(parser, "a setting of a network by name: pretrained=fashion_mnist")
    parser.add_argument("--data", default="fashion_mnist_mini", help=DATA_HELP)
    parser.add_argument("--images", type=int, default=2000, help="of the training set (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the images, and of random (default: %(default)s)")
    parser.add_argument("--ratios", type=float, nargs="+", metavar="SHARE", help="of the channels (default: 0.1 … 0.9)")
    parser.add_argument(
        "--losses", type=float, nargs="+", default=[0.01, 0.02, 0.05], metavar="LOSS",
        help="of top-1, to suggest ratios for (default: 0.01 0.02 0.05)",
    )  # fmt: skip
    parser.add_argument("--criterion", default="l1_norm", help="which channels go first (default: %(default)s)")
    parser.add_argument("--pruned-params", default="*", help="a pattern for the weights that count (default: all)")
    parser.add_argument(
        "--recalibration-batches", type=int, default=0, metavar="N",
        help="measure batch norm anew on so many batches after each cut (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--out", default="sensitivity.json", help="the file with all numbers (default: %(default)s)")
    parser.add_argument("--png", metavar="PATH", help="draw the curves, too")
    add_executor(parser)
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Measure, print two tables."""
    from tinyslim import prune, report, train

    if arguments.images < 1:
        raise ValueError(f"`--images` (={arguments.images}) must be at least 1")
    train_set, _ = data_sets(arguments.data)
    model, example = _model(arguments, train_set), train_set.normalized(slice(0, 1))
    # A worker may stand in another folder.
    name = str(Path(arguments.data).resolve()) if Path(arguments.data).is_dir() else arguments.data
    evaluate = prune.SubsetTop1(name, arguments.images, arguments.seed, arguments.recalibration_batches)
    given = {"ratios": arguments.ratios} if arguments.ratios else {}
    try:
        with chosen_executor(arguments) as executor, train.Progress(1) as progress:
            found = prune.sensitivity(
                model,
                example,
                evaluate,
                executor=executor,
                criterion=arguments.criterion,
                pruned_params=arguments.pruned_params,
                seed=arguments.seed,
                path=arguments.out,
                on_trial=lambda done, of: progress.work(done, of, f"trial {done} of {of}"),
                **given,
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"the same command goes on with {arguments.out}") from None
    print(f"{found}\n\nratios that cost each group alone so much:\n{found.suggest(arguments.losses)}")
    if arguments.png:
        report.save_sensitivity_figure(found, arguments.png)


def _model(arguments: argparse.Namespace, train_set):
    """The model that was asked for."""
    from tinyslim.models.naming import network

    if arguments.settings and (arguments.model is None or arguments.model.endswith(FILES)):
        raise ValueError("`--set` is for networks by name; a file holds its own settings")
    if arguments.model is None:
        return shipped_model()
    if arguments.model.endswith(FILES):
        return model_file(arguments.model)
    settings = {"num_classes": len(train_set.classes), "in_channels": train_set.images.shape[3]}
    return network(arguments.model, settings | dict(arguments.settings))
