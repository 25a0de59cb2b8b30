"""``tinyslim reproduce``: the project's tables, measured anew on this machine."""

from __future__ import annotations

import argparse

from .executors import add_executor, chosen_executor

_EXAMPLE = """\
examples:
  tinyslim reproduce                                     every recipe on the images that ship, three seeds
  tinyslim reproduce --data fashion_mnist --table prune --workers 2
  tinyslim reproduce --table quant --rows control qat_abs_max_channel --seeds 1
  tinyslim reproduce --epochs 1 --images 500 --seeds 1 --out /tmp/tried      to see that it runs
  tinyslim reproduce --data cifar10 --report             only the page and the picture, from the JSON files"""


def add_to(commands) -> argparse.ArgumentParser:
    """Describe the arguments."""
    parser = commands.add_parser(
        "reproduce",
        help="measure a table of the project: every row, with several seeds",
        description="Measure the rows of a table. Each row and seed leaves a JSON file the moment it is done; the same "
        "command goes on where it was stopped. At the end a page and a picture are made from the files.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data", default="fashion_mnist_mini", help="fashion_mnist, fashion_mnist_mini, cifar10 (default: %(default)s)"
    )
    parser.add_argument("--table", default="recipes", help="prune, quant, recipes (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 0 (default: %(default)s)")
    parser.add_argument("--rows", nargs="+", metavar="NAME", help="measure only these (default: all)")
    parser.add_argument("--epochs", type=int, help="of training for each row (default: the table's for these data)")
    parser.add_argument("--images", type=int, metavar="N", help="only N images to train on, and N to test on")
    parser.add_argument("--out", default="results", help="a folder for the results (default: %(default)s)")
    parser.add_argument(
        "--scratch", default="runs/reproduce",
        help="a folder for weights, checkpoints and Programs (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--report", action="store_true", help="measure nothing: only the page and the picture")
    add_executor(parser)
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Measure what is missing, then put all together."""
    from tinyslim import tables

    if arguments.seeds < 1:
        raise ValueError(f"`--seeds` (={arguments.seeds}) must be at least 1")
    benchmark = tables.benchmark(arguments.data).shortened(arguments.epochs, arguments.images)
    rows = tables.rows_of(arguments.table, arguments.rows)
    failed = [] if arguments.report else _measure(arguments, benchmark, rows)
    summary = tables.read_summary(arguments.data, arguments.table, range(arguments.seeds), arguments.out)
    page, picture = tables.write_report(summary, arguments.out)
    print(page.read_text(encoding="utf-8"))
    print(f"see {page}{f' and {picture}' if picture else ''}")
    if failed:
        raise ValueError("\n".join(failed))


def _measure(arguments: argparse.Namespace, benchmark, rows) -> list[str]:
    from tinyslim import tables

    places = {"out": arguments.out, "scratch": arguments.scratch}
    try:
        with chosen_executor(arguments) as executor:
            return tables.measure_rows(
                benchmark, arguments.table, rows, range(arguments.seeds), executor=executor, on_trial=_say, **places
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"the same command goes on: finished rows are kept in {arguments.out}, the epochs of the others in "
            f"{arguments.scratch}"
        ) from None


def _say(done, number: int, of: int) -> None:
    """A line for a trial that ended."""
    head = f"[{number}/{of}] {done.task.row}, seed {done.task.seed}: "
    if done.error:
        print(f"{head}failed: {done.error}", flush=True)
        return
    metrics, seconds = done.record["metrics"], done.record["seconds"]
    cut = metrics.get("top1_after_cut")
    steps = [metrics["before"]["top1"], *([] if cut is None else [cut]), metrics["after"]["top1"]]
    print(
        f"{head}top-1 {' → '.join(f'{100 * top1:.2f}' for top1 in steps)} %, {metrics['after']['bytes']:,} bytes "
        f"({metrics['size_reduction']:.1%} less), {metrics['after']['flops']:,} FLOPs, {seconds:,.0f} s",
        flush=True,
    )
