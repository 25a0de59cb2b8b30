"""The file of a Program: an uncompressed .npz of a JSON header and of one array for each dtype.

The header holds facts, ops and shapes; arrays follow one another in the order of the ops and of each kind's arrays, so
that their offsets are the running sums of their sizes. An int8 program, or a mixed one, has one int8 array with all
weights of bytes, fractions and shifts, and one int32 array with all other constants, where a float32 stands as its
bits.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import struct
import zipfile
from collections.abc import Callable

import numpy as np

from .ops import OPS

#: 2: biases of int8 programs have fractions.
VERSION = 2
#: The arrays of a file beside its header, for each kind of program.
BYTES = {"int8": "|i1", "int32": "<i4"}
STORES = {"float32": {"float32": "<f4"}, "int8": BYTES, "mixed": BYTES}
#: What reading a file that is none of ours can raise on the way.
UNREADABLE = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, EOFError, RecursionError, RuntimeError,
    NotImplementedError, struct.error, zipfile.BadZipFile, OSError,
)  # fmt: skip


def encode(program) -> bytes:
    """The bytes of a program's file."""
    header, stores = describe(program)
    header["digest"] = contents_digest(header, stores)
    members = {"header": np.frombuffer(dump(header), "|u1"), **stores}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in members.items():
            member = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            member.create_system, member.external_attr = 3, 0o644 << 16  # or they would tell the machine
            archive.writestr(member, array_file(array))
    return buffer.getvalue()


def decode(contents: bytes, build: Callable):
    """The program in a file's bytes, made by `build(header, ops)`; raises one of `UNREADABLE`."""
    with zipfile.ZipFile(io.BytesIO(contents)) as archive:
        header = json.loads(read_member(archive, "header", "|u1").tobytes())
        check_version(header)
        stated = header.pop("digest")
        expected = [f"{name}.npy" for name in ("header", *STORES[header["kind"]])]
        if sorted(archive.namelist()) != sorted(expected):
            raise ValueError(f"it holds {', '.join(archive.namelist())}, expected {', '.join(expected)}")
        members = {name: read_member(archive, name, dtype) for name, dtype in STORES[header["kind"]].items()}
    if stated != contents_digest(header, members):
        raise ValueError("its digest does not fit its contents: it was edited or damaged")
    ops = [take_op(header["kind"], op, members) for op in header["ops"]]
    if any(len(store) for store in members.values()):
        raise ValueError("it holds more numbers than its ops use")
    return build(header, ops)


def digest(program) -> str:
    """sha256 of a program's header and arrays."""
    return contents_digest(*describe(program))


def describe(program) -> tuple[dict, dict[str, np.ndarray]]:
    """The header without its digest, and the arrays."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in STORES[program.kind]}
    ops = []
    for op in program.ops:
        kind = program.op_kind(op)
        for name, (dtype, _) in kind.arrays.items():
            store = store_of(program.kind, dtype)
            parts[store].append(op.arrays[name].reshape(-1).view(store))
        changed = {name: value for name, value in op.attributes.items() if value != kind.attributes[name]}
        ops.append([op.kind, op.name, op.inputs, changed, [op.arrays[name].shape for name in kind.arrays]])
    header = {
        "version": VERSION, "kind": program.kind, "input": program.input_shape, "classes": program.classes,
        "preprocessing": program.preprocessing, "ops": ops,
    }  # fmt: skip
    empty = [np.zeros(0, np.int8)]
    stores = {name: np.concatenate(parts[name] or empty).astype(dtype) for name, dtype in STORES[program.kind].items()}
    return header, stores


def store_of(kind: str, dtype: str) -> str:
    """The array that keeps numbers of `dtype`: beside bytes, float32 has no other place than among the int32."""
    return dtype if dtype in STORES[kind] else "int32"


def take_op(kind: str, entry: list, stores: dict[str, np.ndarray]) -> tuple:
    """(kind, name, inputs, attributes, arrays) of one op of a header, whose numbers are taken off `stores`."""
    op_kind, name, inputs, attributes, shapes = entry
    if op_kind not in OPS[kind]:
        raise ValueError(f"it has the op {op_kind!r}; there are {', '.join(OPS[kind])}")
    arrays = {}
    for (array_name, (dtype, _)), shape in zip(OPS[kind][op_kind].arrays.items(), shapes, strict=True):
        if not all(isinstance(size, int) and size > 0 for size in shape):
            raise ValueError(f"the shape {shape} of {name!r} must be positive")
        store, size = store_of(kind, dtype), math.prod(shape)
        if size > len(stores[store]):
            raise ValueError(f"{array_name} {shape} of {name!r} is more than the file holds")
        arrays[array_name] = stores[store][:size].view(dtype).reshape(shape)
        stores[store] = stores[store][size:]
    return op_kind, name, inputs, attributes, arrays


def dump(header: dict) -> bytes:
    """A header as the shortest JSON, always in the same order."""
    return json.dumps(header, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def contents_digest(header: dict, stores: dict[str, np.ndarray]) -> str:
    """sha256 of a header without its digest and of the arrays after it."""
    digest = hashlib.sha256(dump(header))
    for name in sorted(stores):
        digest.update(stores[name].tobytes())
    return digest.hexdigest()


def array_file(array: np.ndarray) -> bytes:
    """A one-dimensional array as NumPy's .npy, version 1.0: a preamble of whole 64 bytes, then the numbers."""
    description = f"{{'descr': '{array.dtype.str}', 'fortran_order': False, 'shape': ({len(array)},), }}"
    description += " " * (-(10 + len(description) + 1) % 64) + "\n"
    preamble = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(description)) + description.encode("latin1")
    return preamble + array.tobytes()


def check_version(header: dict) -> None:
    """Refuse what another tinyslim wrote: the header is the one part that all versions can read."""
    version = header["version"]
    if version != VERSION:
        reason = "there is none such"
        if isinstance(version, int) and version > 0:
            reason = "a newer tinyslim wrote it" if version > VERSION else "an older tinyslim wrote it; freeze again"
        raise ValueError(f"its version is {version!r}, this tinyslim reads {VERSION}: {reason}")


def read_member(archive: zipfile.ZipFile, name: str, dtype: str) -> np.ndarray:
    """One array of an .npz, not compressed; its claims are held against the bytes that are there.

    A compressed one could unfold to any size. Members may overlap in a forged archive, so each could be as large as all
    of it, but not larger.
    """
    member = archive.getinfo(f"{name}.npy")
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{member.filename} is compressed")
    if not 0 <= member.file_size == member.compress_size <= len(archive.fp.getbuffer()):
        raise ValueError(f"{member.filename} claims {member.file_size} bytes, more than the file has")
    return read_array(archive.read(member), dtype)


def read_array(raw: bytes, dtype: str) -> np.ndarray:
    """The numbers of an .npy, if it is one that `array_file` makes of them."""
    numbers = raw[10 + int.from_bytes(raw[8:10], "little") :]
    array = np.frombuffer(numbers, dtype)
    if array_file(array) != raw:
        raise ValueError("the preamble of one of its arrays is damaged")
    return array
