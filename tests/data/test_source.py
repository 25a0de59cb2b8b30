from __future__ import annotations

import gzip
import hashlib
import io
import socket
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from tinyslim.data.formats import CIFAR_BATCHES, parse_cifar, parse_idx, unpack_cifar, unpack_gzip, write_idx
from tinyslim.data.source import Source

NAMES = ("train-images.gz", "train-labels.gz", "test-images.gz", "test-labels.gz")


def sha256(contents: bytes) -> str:
    return hashlib.sha256(contents).hexdigest()


@pytest.fixture
def blocks() -> list[bytes]:
    rng = np.random.default_rng(0)
    train, test = rng.integers(0, 256, (6, 8, 5), np.uint8), rng.integers(0, 256, (4, 8, 5), np.uint8)
    return [write_idx(array) for array in (train, np.arange(6) % 2, test, np.arange(4) % 2)]


@pytest.fixture
def packed(blocks) -> dict[str, bytes]:
    return {name: gzip.compress(block, mtime=1) for name, block in zip(NAMES, blocks, strict=True)}


@pytest.fixture
def clothes(site, blocks, packed) -> Source:
    """A data set as small as they come, on a page of its own."""
    site.files.update(packed)
    return Source(
        name="clothes",
        classes=("shirt", "shoe"),
        files={name: sha256(file) for name, file in packed.items()},
        unpack=unpack_gzip,
        parse=parse_idx,
        nbytes=len(b"".join(blocks)),
        sha256=sha256(b"".join(blocks)),
        page=site.page,
    )


def put(files: dict[str, bytes], folder) -> None:
    folder.mkdir(parents=True)
    for name, file in files.items():
        (folder / name).write_bytes(file)


def names_in(folder) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_download_puts_whole_files_into_the_cache_and_is_not_repeated(clothes, site, home):
    train_set, test_set = clothes.load()
    assert train_set.images.shape == (6, 8, 5, 1)
    assert test_set.labels.tolist() == [0, 1, 0, 1]
    assert names_in(home / ".cache" / "tinyslim" / "clothes") == sorted(NAMES)
    site.files.clear()
    again, _ = clothes.load()
    np.testing.assert_array_equal(again.images, train_set.images)


def test_download_goes_into_root_and_fetches_only_what_is_missing(clothes, site, packed, tmp_path, home):
    put({NAMES[0]: packed[NAMES[0]]}, tmp_path / "mine")
    clothes.load(root=tmp_path / "mine")
    assert site.requested == list(NAMES[1:])
    assert names_in(tmp_path / "mine") == sorted(NAMES)
    assert names_in(home) == []


def test_root_wins_over_cache_and_cache_over_other_places(clothes, site, packed, tmp_path, home):
    garbage = dict.fromkeys(NAMES, gzip.compress(b"garbage"))
    cache, place = home / ".cache" / "tinyslim" / "clothes", tmp_path / "place"
    put(packed, tmp_path / "mine")
    put(garbage, cache)
    put(packed, place)
    searching = replace(clothes, places=(place,))
    searching.load(root=tmp_path / "mine")
    with pytest.raises(ValueError, match=r"clothes in .*\.cache.*tinyslim.*clothes holds contents of sha256"):
        searching.load()
    for name in NAMES:
        (cache / name).unlink()
    searching.load()
    assert site.requested == []


def test_files_packed_anew_are_accepted_by_their_contents(clothes, blocks, tmp_path):
    put({name: gzip.compress(block, 1, mtime=2) for name, block in zip(NAMES, blocks, strict=True)}, tmp_path / "mine")
    clothes.load(root=tmp_path / "mine", download=False)


def test_broken_transfer_is_one_clear_error_and_leaves_no_half_file(clothes, site, home):
    site.files[NAMES[1]] = bytes(1_000_000)
    site.broken.add(NAMES[1])
    with pytest.raises(
        OSError, match=rf"^can't download {site.page}/{NAMES[1]} into .*500000.*pass .* `root=`$"
    ) as error:
        clothes.load()
    assert "\n" not in str(error.value)
    assert names_in(home) == [NAMES[0]]
    site.broken.clear()


def test_wrong_digest_is_one_clear_error_and_leaves_no_file(clothes, site, home):
    site.files[NAMES[0]] = gzip.compress(b"something else")
    with pytest.raises(
        ValueError, match=rf"^{site.page}/{NAMES[0]} sent a file whose sha256 is not .* `root=`$"
    ) as error:
        clothes.load()
    assert "\n" not in str(error.value)
    assert names_in(home) == []


def test_no_network_is_one_clear_error_and_leaves_no_file(clothes, home):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        page = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(OSError, match=rf"^can't download {page}/{NAMES[0]} into .*refused.* `root=`$") as error:
            replace(clothes, page=page).load()
    assert "\n" not in str(error.value)
    assert names_in(home) == []


def test_the_cause_of_a_failed_download_is_never_the_callers_own_error(clothes, site):
    site.files.clear()
    try:
        raise FileNotFoundError("my own trouble")
    except FileNotFoundError:
        with pytest.raises(OSError, match="404 Client Error") as error:
            clothes.load()
    assert "my own trouble" not in str(error.value)


def test_missing_files_without_download_name_the_folders_searched(clothes, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"clothes needs train-images.gz.*mine.*\.cache.*`root=`"):
        clothes.load(root=tmp_path / "mine", download=False)


@pytest.mark.parametrize("damage", [lambda file: file[:-20], lambda file: b"no gzip" + file, lambda file: b""])
def test_damaged_file_on_disk_is_named_with_its_cure(clothes, packed, tmp_path, damage):
    put({**packed, NAMES[2]: damage(packed[NAMES[2]])}, tmp_path / "mine")
    with pytest.raises(ValueError, match=r"^clothes in .*mine .*; remove the file to have it fetched again$"):
        clothes.load(root=tmp_path / "mine")


def test_one_changed_bit_is_caught(clothes, blocks, packed, tmp_path):
    changed = bytearray(blocks[0])
    changed[100] ^= 1
    put({**packed, NAMES[0]: gzip.compress(bytes(changed))}, tmp_path / "mine")
    with pytest.raises(ValueError, match="holds contents of sha256"):
        clothes.load(root=tmp_path / "mine")


def test_file_that_unpacks_into_too_much_is_refused(clothes, packed, tmp_path):
    put({**packed, NAMES[3]: gzip.compress(bytes(50_000_000))}, tmp_path / "mine")
    with pytest.raises(ValueError, match=r"test-labels\.gz unpacks into more than"):
        clothes.load(root=tmp_path / "mine")


@pytest.mark.parametrize("contents", [b"\0\0\x0d\x01\0\0\0\x01abcd", b"\0\0\x08", b"\0\0\x08\x01\0\0\0\x09abc"])
def test_idx_of_another_type_or_length_is_refused(contents):
    with pytest.raises(ValueError, match=r"must start an IDX block|smaller than requested"):
        parse_idx(contents, ["one"])


def cifar_archive(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, contents in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(contents)
            archive.addfile(member, io.BytesIO(contents))
    return packed.getvalue()


@pytest.fixture
def photographs() -> Source:
    records = np.random.default_rng(1).integers(0, 10, (12, 3073), np.uint8).tobytes()
    return Source(
        name="photographs",
        classes=tuple("abcdefghij"),
        files={"photographs.tar.gz": None},
        unpack=unpack_cifar,
        parse=parse_cifar,
        nbytes=len(records),
        sha256=sha256(records),
    )


@pytest.fixture
def batches() -> dict[str, bytes]:
    records = np.random.default_rng(1).integers(0, 10, (6, 2, 3073), np.uint8)
    return {f"bin/{name}": batch.tobytes() for name, batch in zip(CIFAR_BATCHES, records, strict=True)}


def test_cifar_records_become_images_in_any_order_of_members(photographs, batches, tmp_path):
    shuffled = {"bin/readme.html": b"text", **dict(reversed(batches.items()))}
    put({"photographs.tar.gz": cifar_archive(shuffled)}, tmp_path / "mine")
    train_set, test_set = photographs.load(root=tmp_path / "mine")
    assert (len(train_set), len(test_set)) == (10, 2)
    record = np.frombuffer(batches["bin/test_batch.bin"], np.uint8)[3073:]
    assert test_set.labels[1] == record[0]
    # green, second row, third pixel
    assert test_set.images[1, 1, 2, 1] == record[1 + 1024 + 32 + 2]


def test_cifar_archive_without_a_batch_is_refused(photographs, batches, tmp_path):
    del batches["bin/data_batch_3.bin"]
    put({"photographs.tar.gz": cifar_archive(batches)}, tmp_path / "mine")
    with pytest.raises(ValueError, match=r"photographs.tar.gz lacks data_batch_3.bin"):
        photographs.load(root=tmp_path / "mine")


def test_cut_cifar_archive_is_named_with_its_cure(photographs, batches, tmp_path):
    put({"photographs.tar.gz": cifar_archive(batches)[:-400]}, tmp_path / "mine")
    with pytest.raises(ValueError, match=r"^photographs in .*mine can't be unpacked"):
        photographs.load(root=tmp_path / "mine")
