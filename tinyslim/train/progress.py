"""A live line while an epoch runs, and one line that stays when it is over."""

from __future__ import annotations

import time

from .loop import Batch


class Progress:
    """Shows epochs on the terminal; where there is none (a log file), only the lines that stay are printed.

    Parameters
    ----------
    epochs : int
    quiet : bool
        Print nothing at all.
    """

    def __init__(self, epochs: int, quiet: bool = False):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.epochs, self.quiet = epochs, quiet
        self.console = Console(highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=quiet or not self.console.is_terminal,
        )
        self._task = self._bar.add_task("", total=1)
        self._started = time.perf_counter()

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *error) -> None:
        self._bar.stop()

    def batch(self, batch: Batch) -> None:
        """Move the bar; shows the loss and top-1 of this batch."""
        text = (
            f"epoch {batch.epoch + 1}/{self.epochs}  loss {batch.loss:.3f}  top-1 {batch.top1:6.1%}  lr {batch.lr:.2g}"
        )
        self._bar.update(self._task, completed=batch.index + 1, total=batch.count, description=text)

    def work(self, done: int, of: int, text: str) -> None:
        """Move the bar for what is no epoch: `done` of so many parts."""
        self._bar.update(self._task, completed=done, total=of, description=text)

    def epoch(self, entry: dict, note: str = "") -> None:
        """Print the line of a finished epoch."""
        tested = f"  test top-1 {entry['top1']:.2%}" if "top1" in entry else ""
        self.say(
            f"epoch {entry['epoch']}/{self.epochs}  loss {entry['train_loss']:.4f}  top-1 {entry['train_top1']:.2%}"
            f"{tested}  {entry['seconds']:.1f} s{'  ' + note if note else ''}"
        )

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        if not self.quiet:
            self.console.print(text)
