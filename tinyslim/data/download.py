"""One file from its official page: whole, of the known digest, or not there at all."""

from __future__ import annotations

import sys
from pathlib import Path


def fetch(url: str, folder: Path, sha256: str) -> Path:
    """Download `url` into `folder` under its own name, with a progress bar.

    The file grows under a temporary name and is moved into place once its digest is right, so that neither a broken
    transfer nor Ctrl-C leaves half of it.

    Raises
    ------
    OSError
        If the transfer fails: no network, no such file, a connection that breaks, a full disk.
    ValueError
        If what came is not the file with the digest `sha256`.
    """
    import pooch

    advice = "try again, or pass a folder that holds it as `root=`"
    outer = sys.exception()
    try:
        return Path(pooch.retrieve(url, f"sha256:{sha256}", url.rpartition("/")[2], folder, downloader=_transfer))
    except OSError as error:
        raise OSError(f"can't download {url} into {folder} ({_root_cause(error, outer)}); {advice}") from error
    except ValueError as error:
        raise ValueError(f"{url} sent a file whose sha256 is not {sha256}; nothing was kept: {advice}") from error


def _transfer(url: str, path: str, _pooch: object) -> None:
    """Write what `url` sends to `path`, in the form that pooch calls: its own downloader leaves the socket open."""
    import requests
    from rich import console, progress

    bar = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
        console=console.Console(stderr=True),
        transient=True,
    )
    # identity: a server that packs the transfer once more would have requests unpack a .gz file behind our back
    headers = {"Accept-Encoding": "identity"}
    with requests.get(url, stream=True, timeout=30, headers=headers) as response, open(path, "wb") as file, bar:
        response.raise_for_status()
        total = int(response.headers.get("Content-Length", 0)) or None
        task = bar.add_task(url.rpartition("/")[2], total=total)
        for chunk in response.iter_content(1 << 18):
            file.write(chunk)
            bar.advance(task, len(chunk))


def _root_cause(error: BaseException, outer: BaseException | None) -> BaseException:
    """The first of a chain of errors, below `outer`: the socket's own words, which libraries wrap in several layers."""
    while error.__context__ not in (None, outer):
        error = error.__context__
    return error
