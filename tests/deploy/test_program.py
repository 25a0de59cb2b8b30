"""A Program runs as its plain twin does, whatever its ops, its batch and the threads that share it."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import networks
import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyslim import deploy, kernels

PREPROCESSING = ([0.1, 0.4, 0.5], [0.3, 0.2, 0.25])


def images(n: int, shape=(9, 7, 3), seed=0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, *shape)).astype(np.float32)


def photos(n: int, shape=(9, 7, 3), seed=0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), np.uint8)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
@pytest.mark.parametrize("seed", range(4))
def test_int8_program_equals_its_plain_twin_to_the_last_byte(seed, n):
    program = networks.every_int8_op(seed, PREPROCESSING)
    for x in (images(n), photos(n)):
        found, expected = program.run(x), deploy.reference_run(program, x)
        assert found.dtype == np.float32 and found.shape == (n, 10)
        assert found.tobytes() == expected.tobytes()
        assert n < 2 or len(np.unique(found)) > 5


@pytest.mark.parametrize(("width", "size", "stem_stride"), [(0.25, 28, 1), (0.33, 33, 1), (1.0, 65, 2)])
@pytest.mark.parametrize("shared_work", [0, 10**12])
def test_int8_mobilenet_equals_its_plain_twin(monkeypatch, shared_work, width, size, stem_stride):
    """On one thread and on several; whole images a thread, and one image shared."""
    monkeypatch.setattr("tinyslim.kernels.plan_int8.SHARED_WORK", shared_work)
    program = networks.int8_mobilenet(0, width, size, channels=3, stem_stride=stem_stride)
    x = images(5, (size, size, 3))
    expected = deploy.reference_run(program, x)
    for n in (1, 2, 5):
        assert program.run(x[:n]).tobytes() == expected[:n].tobytes()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_readers_of_one_value_may_want_different_borders(n):
    net = networks.Int8Network(0)
    stem = net.conv2d(3, 16, 3, padding=(1, 1, 1, 1))
    left = net.conv2d(16, 24, 3, padding=(1, 1, 1, 1), source=stem)
    net.conv2d(16, 24, 5, padding=(2, 2, 2, 2), source=stem)
    right = net.depthwise(24, 3, padding=(1, 1, 1, 1))
    net.add("concat", left, right, stem)
    net.conv2d(64, 20, 3, padding=(1, 1, 1, 1))
    net.add("flatten")
    program, x = net.logits(9 * 7 * 20, 10), images(n)
    assert program.run(x).tobytes() == deploy.reference_run(program, x).tobytes()


def test_a_program_that_ends_in_dequantize_gives_real_numbers():
    net = networks.Int8Network(0)
    net.add("max_pool2d", size=3, stride=2)
    multiplier, shift = deploy.multiplier(1 / 12)
    net.add("global_avg_pool2d", multiplier=int(multiplier), shift=int(shift))
    net.add("dequantize", scale=0.25, zero_point=7)
    program, x = net.builder.build(), images(2)
    assert program.run(x).tobytes() == deploy.reference_run(program, x).tobytes()


@pytest.mark.parametrize("n", [0, 1, 5, 19])
def test_float_program_equals_its_plain_twin(n):
    program = networks.every_float_op(0, PREPROCESSING)
    for x in (images(n), photos(n)):
        np.testing.assert_allclose(program.run(x), deploy.reference_run(program, x), atol=1e-5)


SIDES = st.tuples(*[st.integers(0, 2)] * 4)


@given(
    shape=st.tuples(st.integers(4, 13), st.integers(4, 13), st.sampled_from([1, 3, 16, 20, 33])),
    stem=st.fixed_dictionaries({"stride": st.integers(1, 3), "padding": SIDES}),
    filters=st.fixed_dictionaries({"stride": st.integers(1, 3), "padding": SIDES, "low": st.sampled_from([None, 0.0])}),
    size=st.integers(2, 4), channels=st.sampled_from([1, 17, 32, 45, 70]), n=st.integers(1, 3), seed=st.integers(0, 99),
)  # fmt: skip
def test_float_program_takes_any_geometry(shape, stem, filters, size, channels, n, seed):
    net = networks.FloatNetwork(seed, shape)
    net.conv2d(shape[2], channels, 2, **stem)
    net.depthwise(channels, size, **filters)
    net.conv2d(channels, 19, 1, high=0.5)
    net.add("global_avg_pool2d")
    net.linear(19, 3)
    x = images(n, shape, seed)
    try:
        program = net.builder.build()
    except ValueError as misfit:
        assert "must fit into the padded input" in str(misfit)
        return
    np.testing.assert_allclose(program.run(x), deploy.reference_run(program, x), atol=1e-5)


def test_float_mobilenet_gives_the_same_bits_in_any_batch_and_on_any_threads():
    program = networks.float_mobilenet(0, size=112, stem_stride=2)
    x = images(19, (112, 112, 1))
    found = program.run(x).tobytes()
    assert found == b"".join(program.run(x[i : i + 1]).tobytes() for i in range(19))
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        assert found == program.run(x).tobytes()
    finally:
        numba.set_num_threads(threads)


def test_an_image_of_nan_leaves_the_next_one_alone():
    program, x = networks.every_float_op(0), images(1)
    expected = program.run(x).tobytes()
    assert np.isnan(program.run(np.full_like(x, np.nan))).any()
    assert program.run(x).tobytes() == expected


@pytest.mark.parametrize("make", [networks.every_int8_op, networks.every_float_op])
def test_uint8_images_give_the_bytes_of_the_float_path(make):
    program, x = make(1, PREPROCESSING), photos(4)
    assert program.run(x).tobytes() == program.run(kernels.normalize_images(x, *PREPROCESSING)).tobytes()


def test_slices_of_a_large_batch_join_without_a_seam(monkeypatch):
    program, x = networks.every_float_op(0, PREPROCESSING), photos(7)
    whole, stepped = program.run(x), deploy.reference_run(program, x)
    monkeypatch.setattr("tinyslim.deploy.runtime.SLICE_BYTES", 1)
    assert program.run(x).tobytes() == whole.tobytes()
    np.testing.assert_allclose(deploy.reference_run(program, x), stepped, atol=1e-5)


def test_threads_may_share_a_program():
    program = networks.every_int8_op(0)
    inputs = [images(2, seed=seed) for seed in range(24)]
    alone = [program.run(x) for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(program.run, inputs))
    assert [a.tobytes() for a in alone] == [b.tobytes() for b in together]


@pytest.mark.parametrize("make", [networks.every_int8_op, networks.every_float_op])
def test_a_swapped_kernel_reaches_the_program(make):
    program, x, called = make(0), images(1), []

    def counting(name):
        def call(*arguments, **keywords):
            called.append(name)
            return getattr(kernels.reference, name)(*arguments, **keywords)

        return call

    names = ("depthwise_conv2d", "depthwise_conv2d_int8")
    with kernels.use(**{name: counting(name) for name in names}):
        found = program.run(x)
    assert called == [names[program.kind == "int8"]]
    with kernels.use_reference():
        stepped = program.run(x)
    np.testing.assert_allclose(found, stepped, atol=1e-5)
    np.testing.assert_allclose(found, program.run(x), atol=1e-5)


def test_a_wrong_kernel_is_seen_by_the_comparison_with_the_twin():
    program, x = networks.every_int8_op(0), images(2)

    def off_by_one(a, b, **rest):
        return kernels.reference.add_int8(a, b, **rest) ^ np.uint8(1)

    with kernels.use(add_int8=off_by_one):
        assert program.run(x).tobytes() != deploy.reference_run(program, x).tobytes()


def test_copies_of_a_program_run_alike():
    program, x = networks.every_int8_op(0), images(2)
    expected = program.run(x).tobytes()
    assert pickle.loads(pickle.dumps(program)).run(x).tobytes() == expected
    assert copy.deepcopy(program).run(x).tobytes() == expected


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros((1, 9, 7, 3)), TypeError, r"`x` \(=float64\) must be an array of float32"),
        ([[0.0]], TypeError, r"`x` \(=list\)"),
        (np.zeros((9, 7, 3), np.float32), ValueError, r"`x` \(shape \(9, 7, 3\)\) must have the shape \(n, 9, 7, 3\)"),
        (np.zeros((1, 9, 7, 1), np.float32), ValueError, "must have the shape"),
        (np.zeros((1, 9, 7, 3), np.uint8), ValueError, "no preprocessing"),
    ],
)
@pytest.mark.parametrize("make", [networks.every_int8_op, networks.every_float_op])
def test_wrong_input_is_refused(make, x, error, message):
    with pytest.raises(error, match=message):
        make(0).run(x)


def test_read_only_and_strided_inputs_give_the_same_bytes():
    program, x = networks.every_int8_op(0), images(4)
    expected = program.run(x)[::2].tobytes()
    assert program.run(x[::2]).tobytes() == expected
    x.flags.writeable = False
    assert program.run(x)[::2].tobytes() == expected


def changed(position: int, **changes):
    """The ops of a right program, one of them changed."""
    ops = list(networks.every_int8_op(0).ops)
    ops[position] = replace(ops[position], **changes)
    return ops


STEM = networks.every_int8_op(0).ops[1]


@pytest.mark.parametrize(
    ("ops", "message"),
    [
        ([], "must begin with its one op `quantize`"),
        (changed(0, kind="conv2d"), "must begin with its one op `quantize`"),
        (changed(1, kind="conv3d"), r"op 1 'conv2d 1' \(conv3d\): no op of int8 programs is called that"),
        (changed(1, inputs=(0,)), r"value 0 \(=float32\) must be uint8"),
        (changed(1, inputs=(2,)), r"`inputs` \(=\(2,\)\) must be values from 0 to 1"),
        (changed(1, inputs=(1, 1)), "must be 1"),
        (changed(1, attributes={"strides": 2}), "has no attribute `strides`"),
        (changed(1, attributes={"stride": 0}), r"`stride` \(=0\) must be from 1"),
        (changed(1, attributes={"padding": 1}), r"`padding` \(=1\) must be \(top, bottom, left, right\)"),
        (changed(1, attributes={"zero_point": 256}), r"`zero_point` \(=256\) must be from 0 to 255"),
        (changed(1, attributes={"low": 9, "high": 8}), r"`low` \(=9\) must not exceed `high`"),
        (changed(6, attributes={}), "needs the attribute `m1`"),
        (changed(1, arrays={**STEM.arrays, "bias": np.zeros(10, np.int32)}), r"`bias` \(shape \(10,\)\)"),
        (changed(1, arrays={**STEM.arrays, "weight": STEM.arrays["weight"].astype("i4")}), "must be an array of int8"),
        (changed(1, arrays={**STEM.arrays, "shift": STEM.arrays["shift"] * 0}), r"`shift` \(=0 … 0\)"),
        (
            changed(1, arrays={**STEM.arrays, "shift": STEM.arrays["shift"] * 0 + 21}),
            "`fraction` must be 0 where `shift`",
        ),
        (changed(1, arrays={**STEM.arrays, "multiplier": STEM.arrays["multiplier"] // 4}), "at least 2"),
        (changed(1, arrays={**STEM.arrays, "bias": STEM.arrays["bias"] * 0 + (2**31 - 1)}), "must fit into int32"),
        (networks.every_int8_op(0).ops[:3], "the last op must give float32 logits"),
    ],
)
def test_wrong_programs_are_refused(ops, message):
    with pytest.raises(ValueError, match=message):
        deploy.Program("int8", (9, 7, 3), ops)


def test_wrong_facts_are_refused():
    ops = networks.every_int8_op(0).ops
    with pytest.raises(ValueError, match=r"`kind` \(='int4'\)"):
        deploy.Program("int4", (9, 7, 3), ops)
    with pytest.raises(ValueError, match=r"`input_shape` \(=\(9, 7\)\)"):
        deploy.Program("int8", (9, 7), ops)
    with pytest.raises(ValueError, match="must be 10 names"):
        deploy.Program("int8", (9, 7, 3), ops, classes=["one"])
    with pytest.raises(ValueError, match="3 channels"):
        deploy.Program("int8", (9, 7, 3), ops, preprocessing=([0.5], [0.5]))


def test_summary_names_each_op_with_shape_scale_and_bytes():
    text = str(networks.every_int8_op(0))
    assert text.startswith("Program(int8, 9×7×3 → 10, 15 ops, ")
    for expected in ("conv2d 1", "5×4×48 uint8", "scale=0.03", "multiplier 1.", "10 float32", "4,950"):
        assert expected in text


def test_latency_is_ordered_and_counts_its_runs():
    program, runs = networks.every_int8_op(0), []

    class Counting:
        def run(self, x):
            runs.append(len(x))
            return program.run(x)

    found = deploy.latency(Counting(), images(1), repeats=20)
    assert 0 < found.lower_quartile <= found.median <= found.upper_quartile
    assert len(runs) == 23 and found.repeats == 20
    assert "20 runs" in str(found)
    with pytest.raises(ValueError, match=r"`repeats` \(=0\)"):
        deploy.latency(program, images(1), repeats=0)
