"""The integer specification: three implementations give the golden bytes, and each other's on whole networks."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path

import make_golden
import networks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyslim import deploy, kernels
from tinyslim.deploy import plain_integers

CASES = json.loads(make_golden.PATH.read_text(encoding="utf-8"))
DTYPES = {
    "weight": np.int8,
    "bias": np.int32,
    "fraction": np.int8,
    "multiplier": np.int32,
    "shift": np.int8,
    "scale": np.float32,
}


def array(values, dtype) -> np.ndarray:
    return np.asarray(values, np.float32).astype(dtype)


def inputs_of(case) -> list[np.ndarray]:
    """The images of a case, each as a batch of one."""
    dtype = np.float32 if case["op"] == "quantize" else np.uint8
    return [array(value, dtype)[None] for value in case["inputs"]]


def op_of(case) -> deploy.Op:
    """The op of a case, its attributes in full."""
    arrays = {name: np.asarray(value, DTYPES[name]) for name, value in case["arrays"].items()}
    kind = deploy.INT8_OPS[case["op"]]
    attributes = {**kind.attributes, **case["attributes"]}
    return deploy.Op(case["op"], case["name"], (1,), attributes, arrays)


def in_plain_python(case):
    inputs = [plain_integers.each(value, float) if case["op"] == "quantize" else value for value in case["inputs"]]
    return plain_integers.OPS[case["op"]](*inputs, **case["arrays"], **case["attributes"])


def through(table):
    return lambda case: deploy.INT8_OPS[case["op"]].run(op_of(case), table, *inputs_of(case))[0].tolist()


def in_a_program(case):
    """The op between a quantiser that gives its input and a dequantiser that shows its bytes: as a plan runs it."""
    op, x = op_of(case), inputs_of(case)[0].astype(np.float32)
    shape = (1, 1, *x.shape[1:])[-3:]
    builder = deploy.Builder("int8", shape)
    value = builder.add("quantize", "input", 0, scale=1.0)
    if x.ndim == 2:
        value = builder.add("flatten", "flatten", value)
    value = builder.add(op.kind, op.name, value, **op.attributes, **op.arrays)
    if op.kind != "logits":
        builder.add("dequantize", "output", builder.add("flatten", "flatten", value), scale=1.0)
    return builder.build().run(x.reshape(1, *shape))[0].tolist()


IMPLEMENTATIONS = {
    "plain Python": in_plain_python,
    "NumPy int64": through(kernels.reference),
    "fast kernel": through(kernels),
}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_each_implementation_gives_the_golden_bytes(name, case):
    assert IMPLEMENTATIONS[name](case) == case["expected"]


ON_ONE_IMAGE_OF_BYTES = [
    case for case in CASES if case["op"] not in ("quantize", "dequantize") and len(case["inputs"]) == 1
]


@pytest.mark.parametrize("case", ON_ONE_IMAGE_OF_BYTES, ids=[case["name"] for case in ON_ONE_IMAGE_OF_BYTES])
def test_an_op_gives_the_golden_bytes_inside_a_program_too(case):
    assert in_a_program(case) == plain_integers.flatten(case["expected"])


def test_the_golden_file_is_what_its_script_makes():
    assert make_golden.PATH.read_text(encoding="utf-8") == make_golden.contents()


def test_every_op_has_golden_bytes_and_not_of_one_kind():
    assert {case["op"] for case in CASES} == set(deploy.INT8_OPS) == set(plain_integers.OPS)
    random_bytes = np.concatenate([plain_integers.flatten(case["expected"]) for case in CASES[-12:]])
    assert len(np.unique(random_bytes)) > 150


@pytest.mark.parametrize("fault", [2**31 - 1, 0])
def test_another_rounding_is_seen_by_the_golden_bytes(fault, monkeypatch):
    """The planted fault: a rounding constant one below half, or none: rounding down."""

    def faulty(total, multiplier, shift, zero_point, low=0, high=255, fraction=0):
        constant = min(fault, (1 << (shift - 1)) - 1)
        rest = fraction * multiplier >> 8
        return plain_integers.clip(zero_point + ((total * multiplier + rest + constant) >> shift), low, high)

    monkeypatch.setattr(plain_integers, "rescale", faulty)
    wrong = [case["name"] for case in CASES if in_plain_python(case) != case["expected"]]
    assert "ties go up, also below zero" in wrong and "add: a tie goes up" in wrong


def test_a_bias_of_whole_steps_is_seen_by_the_golden_bytes(monkeypatch):
    """The planted fault: fractions are left out, or are taken for 128ths."""
    right = plain_integers.rescale
    for factor, seen in ((0, 4), (2, 1)):
        monkeypatch.setattr(
            plain_integers, "rescale", lambda *rest, f=factor: right(*rest[:6], f * (rest[6] if rest[6:] else 0))
        )
        wrong = [case["name"] for case in CASES if in_plain_python(case) != case["expected"]]
        assert len(wrong) >= seen and "fractions of steps that are large" in wrong


INT32 = st.one_of(st.integers(-(2**31), 2**31 - 1), st.integers(-9, 9))


@settings(max_examples=200)
@given(total=INT32, m=st.integers(2**30, 2**31 - 1), s=st.integers(1, 62), zero_point=st.integers(0, 255))
def test_rescaling_is_the_nearest_integer_with_ties_up(total, m, s, zero_point):
    nearest = zero_point + math.floor(Fraction(total * m, 2**s) + Fraction(1, 2))
    expected = min(max(nearest, 0), 255)
    assert plain_integers.rescale(total, m, s, zero_point) == expected
    parameters = np.zeros(1, np.int32), np.full(1, m, np.int32), np.full(1, s, np.int8), zero_point
    for table in (kernels, kernels.reference):
        assert table.requantize(np.full((1, 1), total, np.int32), *parameters)[0, 0] == expected


@settings(max_examples=200)
@given(
    total=INT32, fraction=st.integers(-128, 127), m=st.integers(2**30, 2**31 - 1), s=st.integers(22, 62),
    zero_point=st.integers(0, 255),
)  # fmt: skip
def test_a_fraction_counts_before_the_one_rounding(total, fraction, m, s, zero_point):
    nearest = zero_point + math.floor((total + Fraction(fraction, 256)) * Fraction(m, 2**s) + Fraction(1, 2))
    expected = min(max(nearest, 0), 255)
    assert plain_integers.rescale(total, m, s, zero_point, fraction=fraction) == expected
    nothing = np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.int8), 0
    channel = np.full(1, total, np.int32), np.full(1, m, np.int32), np.full(1, s, np.int8), zero_point
    for table in (kernels, kernels.reference):
        found = table.linear_int8(*nothing, *channel, fraction=np.full(1, fraction, np.int8))
        assert found[0, 0] == expected


@settings(max_examples=200)
@given(x=st.floats(width=32), scale=st.floats(2**-20, 2**20, width=32), zero_point=st.integers(0, 255))
def test_every_float32_is_quantised_alike(x, scale, zero_point):
    expected = plain_integers.quantize(x, scale, zero_point)
    for table in (kernels, kernels.reference):
        assert table.quantize(np.float32([x]), scale, zero_point)[0] == expected


PREPROCESSING = ([0.1, 0.4, 0.5], [0.3, 0.2, 0.25])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_program_with_every_op_runs_in_plain_python_to_the_last_bit(dtype):
    program, rng = networks.every_int8_op(3, PREPROCESSING), np.random.default_rng(3)
    x = (rng.integers(0, 256, (9, 7, 3)) if dtype == np.uint8 else rng.normal(size=(9, 7, 3))).astype(dtype)
    values = plain_integers.steps(program, x)
    assert np.float32(values[-1]).tobytes() == program.run(x[None]).tobytes()
    assert len(values) == len(program.ops) + 1
    assert all(0 <= byte <= 255 for value in values[1:-1] for byte in plain_integers.flatten(value))


def test_a_program_that_ends_in_dequantize_runs_in_plain_python():
    builder = deploy.Builder("int8", (2, 2, 2))
    x = builder.add("quantize", "input", 0, scale=0.1, zero_point=128)
    x = builder.add("global_avg_pool2d", "pool", x, multiplier=2**30, shift=32, input_zero_point=128, zero_point=128)
    builder.add("dequantize", "logits", x, scale=0.1, zero_point=128)
    program, x = builder.build(), np.random.default_rng(0).normal(size=(2, 2, 2)).astype(np.float32)
    assert np.float32(plain_integers.run(program, x)).tobytes() == program.run(x[None]).tobytes()


def test_plain_python_refuses_what_the_program_refuses():
    with pytest.raises(ValueError, match=r"must have the shape \(n, 9, 7, 3\)"):
        plain_integers.run(networks.every_int8_op(0), np.zeros((9, 7), np.float32))


@pytest.mark.parametrize(
    ("op", "attributes"), [("global_avg_pool2d", {}), ("avg_pool2d", {"size": 3000, "stride": 3000})]
)
def test_a_mean_whose_sum_leaves_int32_is_refused(op, attributes):
    builder = deploy.Builder("int8", (3000, 3000, 1))
    x = builder.add("quantize", "input", 0, scale=1.0)
    x = builder.add(op, "pool", x, multiplier=2**30, shift=53, **attributes)
    builder.add("dequantize", "logits", builder.add("flatten", "flatten", x), scale=1.0)
    with pytest.raises(ValueError, match=r"a mean of 9000000 bytes must be one of at most 8421504"):
        builder.build()


def test_the_specification_names_every_op_and_fits_on_its_page():
    text = (Path(deploy.__file__).parent / "integer_specification.md").read_text(encoding="utf-8")
    assert all(f"`{op}`" in text for op in deploy.INT8_OPS)
    assert len(text.splitlines()) < 100
