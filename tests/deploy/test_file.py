"""A program's file: the same bytes everywhere, whole or refused."""

from __future__ import annotations

import io
import json
import zipfile

import networks
import numpy as np
import pytest

from tinyslim import deploy
from tinyslim.deploy import file_format


def every_kind() -> list[deploy.Program]:
    preprocessing = ([0.1, 0.4, 0.5], [0.3, 0.2, 0.25])
    builders = networks.every_int8_op, networks.every_float_op, networks.both_sides
    return [build(0, preprocessing) for build in builders]


@pytest.fixture(scope="module", params=every_kind(), ids=lambda program: program.kind)
def program(request) -> deploy.Program:
    return request.param


def load_bytes(path, contents: bytes) -> deploy.Program:
    path.write_bytes(contents)
    return deploy.load(path)


def test_a_saved_program_loads_as_it_was(program, tmp_path):
    path = tmp_path / "new folder" / "program.npz"
    program.save(path)
    loaded = deploy.load(path)
    assert path.read_bytes() == loaded.to_bytes() == program.to_bytes()
    assert program.nbytes == path.stat().st_size
    assert loaded.digest == program.digest
    assert str(loaded) == str(program)
    x = np.random.default_rng(0).normal(size=(3, 9, 7, 3)).astype(np.float32)
    assert loaded.run(x).tobytes() == program.run(x).tobytes()
    assert [p.name for p in path.parent.iterdir()] == ["program.npz"]


def test_facts_survive_the_file(tmp_path):
    ops = networks.every_int8_op(0).ops
    classes = [f"Klasse {i} é" for i in range(10)]
    program = deploy.Program("int8", (9, 7, 3), ops, ([0.1, 1 / 3, 0.5], [0.3, 0.2, 0.25]), classes)
    program.save(tmp_path / "p.npz")
    loaded = deploy.load(tmp_path / "p.npz")
    assert loaded.classes == tuple(classes)
    assert loaded.preprocessing == ((0.1, 1 / 3, 0.5), (0.3, 0.2, 0.25))


def test_numpy_reads_the_file_without_pickle(program):
    with np.load(io.BytesIO(program.to_bytes()), allow_pickle=False) as file:
        header = json.loads(file["header"].tobytes())
        assert header["kind"] == program.kind and len(header["ops"]) == len(program.ops)
        assert set(file) == {"header", *file_format.STORES[program.kind]}


def test_int8_mobilenet_is_seventy_per_cent_smaller():
    small, large = networks.int8_mobilenet(0), networks.float_mobilenet(0)
    assert small.nbytes < 0.3 * large.nbytes
    assert len(file_format.dump(file_format.describe(small)[0])) < 5000


def test_truncated_files_are_refused(program, tmp_path):
    contents = program.to_bytes()
    for end in {*range(0, len(contents), 1009), 1, 100, len(contents) - 1}:
        with pytest.raises(ValueError, match="is not a tinyslim program"):
            load_bytes(tmp_path / "short.npz", contents[:end])


def forged(program, change) -> bytes:
    """A file whose header and arrays `change` has edited, with the right digest for them."""
    header, stores = file_format.describe(program)
    header = json.loads(file_format.dump(header))
    change(header, stores)
    header["digest"] = file_format.contents_digest(header, stores)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in {"header": np.frombuffer(file_format.dump(header), np.uint8), **stores}.items():
            archive.writestr(f"{name}.npy", file_format.array_file(array))
    return buffer.getvalue()


def edit(path: str, value):
    """A change that puts `value` at a path such as ops.1.4.0 of the header."""

    def change(header, stores):
        *parents, last = (int(key) if key.isdigit() else key for key in path.split("."))
        for key in parents:
            header = header[key]
        header[last] = value

    return change


def test_a_forged_file_without_a_change_loads(program, tmp_path):
    assert load_bytes(tmp_path / "p.npz", forged(program, lambda header, stores: None)).digest == program.digest


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("kind", "int4", "int4"),
        ("input", [9, 7, 10**9], "input_shape"),
        ("input", [9, 7, 4], "input channels|channels"),
        ("ops.0.0", "os.system", "os.system"),
        ("ops.3.2", [-1], "must be values from 0"),
        ("ops.3.2", [99], "must be values from 0"),
        ("ops.3.4.0", [-1, 1, 11, 27], "must be positive"),
        ("ops.3.4.0", [10**9, 10**9, 10**9, 10**9], "more than the file holds"),
        ("ops.3.4", [], "is not a tinyslim program"),
        ("ops.3.3", {"stride": 10**30}, "stride"),
        ("ops.3.3", {"padding": [10**9] * 4}, "padding"),
        ("ops.3.3", {"stride": "1"}, "stride"),
        ("ops.3.3", [], "is not a tinyslim program"),
        ("ops.3", [], "is not a tinyslim program"),
        ("ops", [], "holds more numbers"),
        ("classes", ["x"], "must be 10 names"),
        ("preprocessing", [[0.5], [0.5]], "channels"),
        ("preprocessing", 7, "is not a tinyslim program"),
    ],
)
def test_forged_headers_are_refused(program, path, value, message, tmp_path):
    contents = forged(program, edit(path, value))
    with pytest.raises(ValueError, match=message):
        load_bytes(tmp_path / "forged.npz", contents)


def test_pickles_bombs_and_strange_members_are_refused(program, tmp_path):
    def archive(name="header.npy", data=b"", compression=zipfile.ZIP_STORED) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", compression) as file:
            file.writestr(name, data)
        return buffer.getvalue()

    pickled = io.BytesIO()
    np.save(pickled, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    huge = file_format.array_file(np.zeros(1, "|u1")).replace(b"(1,)", b"(9999999999999,)")
    files = [
        b"", b"PK", pickled.getvalue(), archive(data=pickled.getvalue()), archive(data=huge), archive("../evil.npy"),
        archive(data=bytes(10**7), compression=zipfile.ZIP_DEFLATED), archive(data=b"[" * 10**5), archive(data=b"{}"),
        archive(data=file_format.array_file(np.frombuffer(b"[" * 10**5, "|u1"))),
    ]  # fmt: skip
    for contents in files:
        with pytest.raises(ValueError, match="is not a tinyslim program"):
            load_bytes(tmp_path / "strange.npz", contents)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        deploy.load(tmp_path / "none.npz")


def test_an_edit_with_a_right_checksum_is_caught_by_the_digest(program, tmp_path):
    """The planted fault: one weight changed by one, in an archive that is whole."""
    header, stores = file_format.describe(program)
    header["digest"] = file_format.contents_digest(header, stores)
    next(iter(stores.values()))[0] += 1
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in {"header": np.frombuffer(file_format.dump(header), np.uint8), **stores}.items():
            archive.writestr(f"{name}.npy", file_format.array_file(array))
    with pytest.raises(ValueError, match="digest does not fit"):
        load_bytes(tmp_path / "edited.npz", buffer.getvalue())
