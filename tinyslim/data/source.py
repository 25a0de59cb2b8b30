"""Where a known data set lies, how it gets there, and how it proves to be the real one."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import tarfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyslim.data.dataset import Dataset
from tinyslim.data.download import fetch

_DAMAGE = (EOFError, gzip.BadGzipFile, lzma.LZMAError, tarfile.TarError, zlib.error)


@dataclass(frozen=True)
class Source:
    """A data set made of known bytes, wherever they come from.

    Two digests guard it. `files` holds that of each file as its page sends it. `sha256` is that of the unpacked
    contents, which is checked at every load: mirrors pack the same contents anew, into files of another digest.

    Attributes
    ----------
    name : str
    classes : tuple of str
    files : name → sha256, or None if no page sends it
        What must lie in the folder, in the order in which the contents follow each other.
    unpack : (paths, limit) → bytes
        Reads the files into the contents, `limit` bytes at most.
    parse : (contents, classes) → (train set, test set)
    nbytes, sha256 : int, str
        Of the contents.
    page : str or None
        The address below which the files can be downloaded.
    places : folders that are searched besides the cache
    """

    name: str
    classes: tuple[str, ...]
    files: Mapping[str, str | None]
    unpack: Callable[[Sequence[Path], int], bytes]
    parse: Callable[[bytes, Sequence[str]], tuple[Dataset, Dataset]]
    nbytes: int
    sha256: str
    page: str | None = None
    places: tuple[Path, ...] = ()

    def load(self, root: str | Path | None = None, download: bool = True) -> tuple[Dataset, Dataset]:
        """The training set and the test set; see `tinyslim.data.load`."""
        folder = self._find(root) or self._download(root, download)
        return self.parse(self._contents(folder), self.classes)

    def _folders(self, root: str | Path | None) -> list[Path]:
        cache = Path("~/.cache/tinyslim").expanduser() / self.name
        return [*([Path(root).expanduser()] if root is not None else []), cache, *self.places]

    def _find(self, root: str | Path | None) -> Path | None:
        complete = (folder for folder in self._folders(root) if all((folder / name).is_file() for name in self.files))
        return next(complete, None)

    def _download(self, root: str | Path | None, allowed: bool) -> Path:
        folders = self._folders(root)
        if self.page is None or not allowed:
            searched = ", ".join(map(str, folders))
            raise FileNotFoundError(
                f"{self.name} needs {', '.join(self.files)}, which are in none of {searched}; "
                "pass the folder that holds them as `root=`"
            )
        for name, digest in self.files.items():
            if not (folders[0] / name).is_file():
                fetch(f"{self.page}/{name}", folders[0], digest)
        return folders[0]

    def _contents(self, folder: Path) -> bytes:
        where = f"{self.name} in {folder}"
        cure = "remove the file to have it fetched again" if self.page else "install tinyslim again"
        try:
            contents = self.unpack([folder / name for name in self.files], self.nbytes)
        except _DAMAGE as error:
            raise ValueError(f"{where} can't be unpacked ({error}); {cure}") from error
        digest = hashlib.sha256(contents).hexdigest()
        if digest != self.sha256:
            raise ValueError(f"{where} holds contents of sha256 {digest}, not {self.sha256}; {cure}")
        return contents
