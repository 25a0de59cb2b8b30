"""``tinyslim cliff``: top-1 over the share of FLOPs that is cut away, and what brings it back."""

from __future__ import annotations

import argparse
from pathlib import Path

from .loading import DATA_HELP, data_sets, model_file, shipped_model

_EXAMPLE = """\
examples:
  tinyslim cliff                                      the shipped MobileNet, a few minutes
  tinyslim cliff --seeds 3 --epochs 4 --out runs/mine
  tinyslim cliff --model runs/mine/model.npz --data cifar10 --targets 0.25 0.5 0.75"""


def add_to(commands) -> argparse.ArgumentParser:
    """Describe the arguments."""
    parser = commands.add_parser(
        "cliff",
        help="how far top-1 falls for each share of FLOPs cut away, and what brings it back",
        description="Cut a network ever deeper: any channels, those of the smallest norm, then with batch norm "
        "re-estimated, then trained on. The same command goes on where it was stopped.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", metavar="FILE", help="a model.npz or an .onnx (default: the MobileNet that ships)")
    parser.add_argument("--data", default="fashion_mnist_mini", help=DATA_HELP)
    parser.add_argument("--targets", type=float, nargs="+", metavar="SHARE", help="of the FLOPs (default: 0.05 … 0.9)")
    parser.add_argument("--seeds", type=int, default=1, help="how many, from 0 (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=2, help="of fine-tuning (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=128, help="(default: %(default)s)")
    parser.add_argument("--lr", type=float, default=0.05, help="the largest learning rate (default: %(default)s)")
    parser.add_argument("--out", default="runs/cliff", help="a folder for what is made (default: %(default)s)")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Cut, measure, print; leaves cliff.json and cliff.png in the folder."""
    from tinyslim import compress, report

    if arguments.seeds < 1:
        raise ValueError(f"`--seeds` (={arguments.seeds}) must be at least 1")
    model = model_file(arguments.model) if arguments.model else shipped_model()
    given = {"targets": arguments.targets} if arguments.targets else {}
    out = Path(arguments.out)
    try:
        found = compress.cliff(
            model,
            *data_sets(arguments.data),
            seeds=range(arguments.seeds),
            mending=compress.Mending(arguments.epochs, arguments.batch_size, arguments.lr),
            path=out / "cliff.json",
            on_point=_say,
            **given,
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on from there") from None
    report.save_cliff_figure(found, out / "cliff.png")
    print(f"top-1 in %\n{found}\nsee {out / 'cliff.json'} and {out / 'cliff.png'}")


def _say(point) -> None:
    print(
        f"{point.row}: {point.removed:6.1%} of the FLOPs gone, top-1 {point.top1:6.2%} (seed {point.seed})", flush=True
    )
