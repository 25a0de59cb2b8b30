"""From words on the command line to one of the commands, and from their errors to one line and an exit code.

A command is a module with `add_to(commands)`, which describes its arguments, and `run(arguments)`, which imports what
it needs only then: `tinyslim --help` must not wait for a compiler.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import (
    bench_engine,
    compress_model,
    evaluate_file,
    follow_course,
    list_recipes,
    measure_cliff,
    measure_sensitivity,
    predict_images,
    quantize_model,
    report_quantization,
    reproduce_table,
    show_info,
    summarize,
    train_model,
)

COMMANDS = (
    compress_model,
    list_recipes,
    predict_images,
    evaluate_file,
    summarize,
    train_model,
    measure_cliff,
    measure_sensitivity,
    quantize_model,
    report_quantization,
    reproduce_table,
    bench_engine,
    follow_course,
    show_info,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after ``tinyslim``; by default those of this process.

    Returns
    -------
    int
        The exit code: 0, 2 for a mistake that one line on stderr explains, 130 after Ctrl-C.
    """
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except KeyboardInterrupt as stop:
        print(f"tinyslim: stopped{'; ' if str(stop) else ''}{stop}", file=sys.stderr)
        return 130
    except (ValueError, TypeError, OSError) as error:
        if arguments.traceback:
            raise
        for line in str(error).splitlines():
            print(f"tinyslim: {line}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tinyslim",
        description="Model compression from scratch: prune, distil, quantise, and run the result on integers.",
        epilog="example: tinyslim compress        (the shipped MobileNet, pruned to half its FLOPs, then int8)",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        one = command.add_to(commands)
        one.add_argument("--traceback", action="store_true", help="show where in the code an error arose")
        one.set_defaults(run=command.run)
    return parser
