"""``tinyslim train``: a network from its first weights to a file, with a record of how it was made."""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import time
from pathlib import Path

from .loading import DATA_HELP, data_sets
from .settings import add_set

_EXAMPLE = """\
example:
  tinyslim train mobilenet_v1 --set width=0.25 --set stem_stride=1 --data fashion_mnist_mini --epochs 5"""


def add_to(commands) -> argparse.ArgumentParser:
    """Describe the arguments."""
    parser = commands.add_parser(
        "train",
        help="train a network on a data set",
        description="Train a network of the zoo. Its channels in and its classes follow from the data.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model", metavar="MODEL", help="mobilenet_v1, mobilenet_v2, resnet18, resnet20, resnet34, resnet50, resnet56"
    )
    add_set(parser, "a setting of the network: width=0.25")
    parser.add_argument("--data", default="fashion_mnist_mini", help=DATA_HELP)
    parser.add_argument("--epochs", type=int, default=10, help="(default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=128, help="(default: %(default)s)")
    parser.add_argument("--lr", type=float, default=0.1, help="the largest learning rate (default: %(default)s)")
    parser.add_argument("--momentum", type=float, default=0.9, help="(default: %(default)s)")
    parser.add_argument("--weight-decay", type=float, default=5e-4, help="(default: %(default)s)")
    parser.add_argument(
        "--schedule", default="one_cycle", help="one_cycle, cosine, step, constant (default: %(default)s)"
    )
    parser.add_argument("--augment", help="pad_crop_flip (default: none)")
    parser.add_argument("--label-smoothing", type=float, default=0.0, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and augmentation (default: %(default)s)")
    parser.add_argument("--out", help="a folder for what is made (default: runs/MODEL-DATA)")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in the folder")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Train; leaves model.npz, history.json and training.json in the folder."""
    from tinyslim import train
    from tinyslim.models.naming import network

    train_set, test_set = data_sets(arguments.data)
    given = dict(arguments.settings)
    settings = {
        "num_classes": len(train_set.classes), "in_channels": train_set.images.shape[3], "seed": arguments.seed
    } | given  # fmt: skip
    model = network(arguments.model, settings)
    out = Path(arguments.out or f"runs/{arguments.model}-{Path(arguments.data).name}")
    if (out / "model.npz").exists() and not arguments.resume:
        raise ValueError(f"{out} holds a trained model: name another folder with --out, or go on with --resume")
    if arguments.resume and not (out / "checkpoint.npz").exists():
        print(f"there is no checkpoint in {out}: starting afresh")
    names = ("epochs", "batch_size", "lr", "momentum", "weight_decay", "schedule", "augment", "label_smoothing", "seed")
    recipe = {name: getattr(arguments, name) for name in names}
    try:
        history = train.fit(model, train_set, test_set=test_set, out=out, resume=arguments.resume, **recipe)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"the same command with --resume goes on from the last whole epoch in {out}") from None
    reached = train.evaluate(model, test_set)
    _record(out, command(arguments, given, recipe), settings, recipe | {"data": arguments.data}, history, reached)
    print(f"top-1 {reached['top1']:.2%}, top-5 {reached['top5']:.2%} on {len(test_set):,} test images; see {out}")


def command(arguments: argparse.Namespace, settings: dict, recipe: dict) -> str:
    """The line that trains these very weights, whatever the defaults will be then."""
    words = ["tinyslim", "train", arguments.model, "--data", arguments.data]
    for key, value in settings.items():
        words += ["--set", f"{key}={json.dumps(value)}"]
    for name, value in recipe.items():
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)


def _record(out: Path, line: str, settings: dict, recipe: dict, history: list[dict], reached: dict) -> None:
    """How the weights were made and what they reach, beside them."""
    import tinyslim
    from tinyslim.files import write_text_atomically

    facts = {
        "command": line,
        "seed": recipe["seed"],
        "network": settings,
        "recipe": recipe,
        "accuracy": reached,
        "seconds": sum(entry["seconds"] for entry in history),
        "date": time.strftime("%Y-%m-%d"),
        "version": tinyslim.__version__,
        "sha256": hashlib.sha256((out / "model.npz").read_bytes()).hexdigest(),
        "curve": history,
    }
    write_text_atomically(out / "training.json", json.dumps(facts, indent=1) + "\n")
