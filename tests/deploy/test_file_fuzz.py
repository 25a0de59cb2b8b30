"""Files that were damaged or made to do harm: each is the same Program or one clear error, whatever it claims."""

from __future__ import annotations

import io
import json
import random
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyslim import deploy
from tinyslim.deploy import file_format

MUTANTS = 2000
#: What reading may take at a time: some copies of the file, and Python's own objects.
COPIES, FLOOR = 12, 200_000


def tiny(kind: str) -> deploy.Program:
    """A Program of a few hundred bytes of weights."""
    rng, builder = np.random.default_rng(0), deploy.Builder(kind, (4, 4, 1), ([0.5], [0.25]), ["left", "right"])
    if kind == "float32":
        x = builder.add("conv2d", "stem", 0, weight=array(rng, 3, 3, 1, 5), bias=array(rng, 5), padding=(1, 1, 1, 1))
        x = builder.add("global_avg_pool2d", "pool", x)
        builder.add("linear", "head", x, weight=array(rng, 5, 2), bias=array(rng, 2))
        return builder.build()
    m, s = deploy.multiplier(rng.uniform(0.001, 0.01, 5))
    x = builder.add("quantize", "input", 0, scale=0.02, zero_point=128)
    weight = rng.integers(-127, 128, (3, 3, 1, 5), np.int8)
    rest = {
        "bias": rng.integers(-99, 99, 5, np.int32),
        "fraction": rng.integers(-99, 99, 5, np.int8),
        "multiplier": m,
        "shift": s,
        "input_zero_point": 128,
    }
    x = builder.add("conv2d", "stem", x, weight=weight, **rest, padding=(1, 1, 1, 1))
    m, s = (int(number) for number in deploy.multiplier(1 / 16))
    x = builder.add("global_avg_pool2d", "pool", x, multiplier=m, shift=s)
    weight, scale = rng.integers(-127, 128, (5, 2), np.int8), np.float32([0.01, 0.02])
    builder.add("logits", "head", x, weight=weight, bias=np.int32([3, -3]), scale=scale)
    return builder.build()


def array(rng, *shape) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


PROGRAMS = {kind: tiny(kind) for kind in ("int8", "float32")}


def outcome(path, contents: bytes):
    """The Program in a file of these bytes, or None where there is one clear error; anything else fails the test."""
    path.write_bytes(contents)
    tracemalloc.start()
    try:
        return deploy.load(path)
    except ValueError as error:
        assert str(error).startswith(f"{path} is not a tinyslim program: ") and len(str(error)) < len(str(path)) + 450
        return None
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < COPIES * len(contents) + FLOOR, (peak, len(contents))


def mutant(contents: bytes, other: bytes, chance: random.Random) -> bytes:
    """`contents` after one or two of the things that disks, networks and people do to files."""
    made = bytearray(contents)
    for _ in range(chance.choice((1, 1, 1, 2))):
        at, length = chance.randrange(len(made)), chance.choice((1, 2, 4, 8, 64, 300))
        kind = chance.choice(("bit", "bit", "byte", "number", "cut", "insert", "copy", "end", "zero", "splice"))
        if kind == "bit":
            made[at] ^= 1 << chance.randrange(8)
        elif kind == "byte":
            made[at] = chance.randrange(256)
        elif kind == "number":  # sizes, offsets and counts are numbers of two, four and eight bytes
            size = chance.choice((2, 4, 8))
            made[at : at + size] = chance.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63)).to_bytes(8, "little")[
                :size
            ]
        elif kind == "cut":
            del made[at : at + length]
        elif kind == "insert":
            made[at:at] = chance.randbytes(length)
        elif kind == "copy":
            start = chance.randrange(len(made))
            made[at : at + length] = made[start : start + length]
        elif kind == "end":
            del made[max(at, 1) :]
        elif kind == "zero":
            made[at : at + length] = bytes(len(made[at : at + length]))
        else:
            made[at:] = other[chance.randrange(len(other)) :]
    return bytes(made)


@pytest.mark.parametrize("kind", PROGRAMS)
def test_two_thousand_mutants_are_the_same_program_or_one_clear_error(kind, tmp_path):
    contents, chance = PROGRAMS[kind].to_bytes(), random.Random(kind)
    other = PROGRAMS["float32" if kind == "int8" else "int8"].to_bytes()
    refused = 0
    for _ in range(MUTANTS):
        made = mutant(contents, other, chance)
        program = outcome(tmp_path / "mutant.npz", made)
        if program is None:
            refused += made != contents
        else:
            assert program.to_bytes() == contents
    assert refused > 0.8 * MUTANTS


def forged(header: dict, members: dict, **options) -> bytes:
    """A file with a digest that fits, whatever it holds."""
    header = {name: value for name, value in header.items() if name != "digest"}
    stores = {name: members[name] for name in sorted(members)}
    header["digest"] = file_format.contents_digest(header, stores)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        for name, values in {"header": np.frombuffer(file_format.dump(header), np.uint8), **stores}.items():
            archive.writestr(f"{name}.npy", file_format.array_file(values))
    return buffer.getvalue()


def parts(kind: str) -> tuple[dict, dict]:
    header, members = file_format.describe(PROGRAMS[kind])
    return json.loads(file_format.dump(header)), members


def places(value, path=()):
    """The paths to everything inside a JSON value."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield from places(part, (*path, key))


HOSTILE = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([2**31, -(2**31), 2**63, 10**30, 1e308, 0.5, -0.0]),
    st.sampled_from(["", "int8", "conv2d", "__import__('os')", "../..", "weight"]), st.text(max_size=5),
    st.recursive(st.integers(-1, 2**40), lambda inner: st.lists(inner, max_size=4), max_leaves=6),
    st.dictionaries(st.sampled_from(["stride", "padding", "scale", "low", "high", "x"]), st.integers(-1, 2**40)),
)  # fmt: skip


@settings(max_examples=200)
@given(data=st.data(), kind=st.sampled_from(sorted(PROGRAMS)))
def test_any_header_is_a_whole_program_or_one_clear_error(data, kind, tmp_path_factory):
    header, members = parts(kind)
    *way, last = data.draw(st.sampled_from([path for path in places(header) if path]))
    target = header
    for key in way:
        target = target[key]
    target[last] = data.draw(HOSTILE)
    path = tmp_path_factory.mktemp("forged") / "p.npz"
    program = outcome(path, forged(header, members))
    if program is not None:  # what it says may be another network, but it must be one, and be written as it was read
        again = outcome(path, program.to_bytes())
        assert again.to_bytes() == program.to_bytes() and again.digest == program.digest


def raw(kind: str) -> dict[str, bytes]:
    """The members of a right file, by name, as bytes."""
    with zipfile.ZipFile(io.BytesIO(PROGRAMS[kind].to_bytes())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(members, compression=zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, contents in members:
            archive.writestr(name, contents)
    return buffer.getvalue()


def refused_because(path, contents: bytes) -> str:
    assert outcome(path, contents) is None
    with pytest.raises(ValueError) as error:
        deploy.load(path)
    return str(error.value)


def test_a_member_may_neither_be_missing_nor_stand_beside_the_others(tmp_path):
    members, path = raw("int8"), tmp_path / "p.npz"
    assert outcome(path, zipped(members.items())) is not None
    for name in members:
        without = {other: contents for other, contents in members.items() if other != name}
        reason = "no item named 'header.npy'" if name == "header.npy" else "expected header.npy, int8.npy, int32.npy"
        assert reason in refused_because(path, zipped(without.items()))
    assert "evil.npy" in refused_because(path, zipped([*members.items(), ("evil.npy", b"")]))
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = zipped([*members.items(), ("int8.npy", members["int8.npy"])])
    assert "it holds header.npy, int8.npy, int32.npy, int8.npy, expected" in refused_because(path, twice)


def test_a_bomb_is_refused_before_it_unfolds(tmp_path):
    bomb = {**raw("int8"), "int8.npy": file_format.array_file(np.zeros(20_000_000, np.int8))}
    contents = zipped(bomb.items(), zipfile.ZIP_DEFLATED)
    assert len(contents) < 30_000
    assert "is compressed" in refused_because(tmp_path / "p.npz", contents)


def test_a_hundred_members_that_share_their_bytes_are_not_read(tmp_path):
    """Each entry of the directory may claim the whole file: reading all would take the square of its size."""
    members = raw("int8")
    contents = zipped([*members.items(), *((f"{i:04}.npy", b"") for i in range(100))])
    for i in range(100):
        contents = contents.replace(f"{i:04}.npy".encode(), b"int8.npy")
    assert "it holds" in refused_because(tmp_path / "p.npz", contents)


def test_arrays_of_another_kind_are_refused(tmp_path):
    members, path = raw("int8"), tmp_path / "p.npz"
    pickled, doubles = io.BytesIO(), io.BytesIO()
    np.save(pickled, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save(doubles, np.zeros(5))
    right = members["int8.npy"]
    shape = right[right.index(b"(") : right.index(b",)")]
    for wrong in (
        pickled.getvalue(), doubles.getvalue(), b"", right[:20], right.replace(shape, b"(9" + shape[2:]),
        right.replace(shape, b"(-" + shape[2:]), right.replace(b"'|i1'", b"'|O8'"), right.replace(b"False", b"True "),
    ):  # fmt: skip
        assert wrong != right
        assert "preamble" in refused_because(path, zipped({**members, "int8.npy": wrong}.items()))


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (3, "its version is 3, this tinyslim reads 2: a newer tinyslim wrote it"),
        (1, "its version is 1, this tinyslim reads 2: an older tinyslim wrote it; freeze again"),
        (0, "its version is 0, this tinyslim reads 2: there is none such"),
        ("2", "its version is '2', this tinyslim reads 2: there is none such"),
    ],
)
def test_another_version_says_so_even_if_its_arrays_are_others(version, reason, tmp_path):
    header, _ = parts("int8")
    header["version"] = version
    contents = forged(header, {"int4": np.zeros(3, np.uint8)})
    assert reason in refused_because(tmp_path / "p.npz", contents)


def test_a_loader_that_believes_what_it_reads_would_be_caught(tmp_path, monkeypatch):
    """The planted fault: without the digest some mutants load as other programs, and the fuzz sees it."""
    monkeypatch.setattr(file_format, "contents_digest", lambda header, stores: header.get("digest", ""))
    monkeypatch.setattr(zipfile.ZipExtFile, "_update_crc", lambda self, data: None)
    contents = PROGRAMS["int8"].to_bytes()
    weight = contents.index(b"int8.npy") + 160
    changed = contents[:weight] + bytes([contents[weight] ^ 1]) + contents[weight + 1 :]
    found = outcome(tmp_path / "p.npz", changed)
    assert found is not None and found.to_bytes() != contents
