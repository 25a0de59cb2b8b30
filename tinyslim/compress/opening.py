"""Where a run begins: in a fresh folder, or at the checkpoint of one that was stopped."""

from __future__ import annotations

from pathlib import Path

from tinyslim.files import write_text_atomically

from .checkpoint import read_checkpoint, write_checkpoint
from .config import Config
from .context import Context
from .folder import CHECKPOINT, folder_to_resume, fresh_folder, sweep


def open_run(wish: Path, resume: bool, config: Config, context: Context, identity: dict) -> Path:
    """The folder of this run.

    Parameters
    ----------
    wish : Path
        Where it should be; if a run lies there, `wish`-2 comes next.
    resume : bool
        Look for a run that was stopped, and put `context` where its checkpoint was.
    config : Config
    context : Context
    identity : dict
        What a checkpoint must be of: see `read_checkpoint`.
    """
    stopped = folder_to_resume(wish)
    if resume and stopped is not None:
        sweep(stopped)
        read_checkpoint(stopped / CHECKPOINT, context, identity)
        context.say(f"resuming {after(context.epoch)} from {stopped / CHECKPOINT}")
        return stopped
    out = fresh_folder(wish)
    sweep(out)
    if resume:
        context.say(f"there is no checkpoint to resume from in {wish}: starting afresh, in {out}")
    elif stopped is not None:
        context.say(f"{stopped} holds a run that was stopped; --resume (resume=True) would go on with it")
    write_text_atomically(out / "config.json", config.as_json() + "\n")
    # What strategies find out before the first epoch may take hours: a kill there must find its way back, too.
    write_checkpoint(out / CHECKPOINT, context, identity)
    return out


def how_to_go_on(finished: int, out: Path) -> str:
    """What to tell whoever stopped a run after so many epochs."""
    return f"the same command with --resume (resume=True) goes on {after(finished)}, in {out}"


def after(finished: int) -> str:
    """Where a run stands that has finished so many epochs."""
    return f"after epoch {finished}" if finished else "before epoch 1"
