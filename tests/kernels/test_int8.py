"""The int8 kernels give the bytes of their plain int64 twins: on any shape, any path, at any number of threads."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyslim.kernels import jit, reference

from tinyslim import kernels

#: Threads of the machine, of which there may be one.
MANY = os.cpu_count()

SEEDS = st.integers(0, 2**32)
WIDTHS = st.sampled_from([1, 2, 3, 5, 8, 11, 16, 27, 32, 45, 64])
PADDINGS = st.sampled_from([0, 1, (0, 1, 0, 1), (2, 0, 1, 1), "same"])


def bytes_(rng, *shape: int) -> np.ndarray:
    return rng.integers(0, 256, shape, np.uint8)


def weights(rng, *shape: int) -> np.ndarray:
    return rng.integers(-128, 128, shape, np.int8)


def rescaling(rng, channels: int, shifts=(28, 45)) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(bias, multiplier, shift) of some channels."""
    bias = rng.integers(-5000, 5000, channels).astype(np.int32)
    multiplier = rng.integers(2**30, 2**31, channels).astype(np.int32)
    return bias, multiplier, rng.integers(*shifts, channels).astype(np.int8)


def same(name: str, *arguments, **keywords) -> np.ndarray:
    """Run a kernel and its twin, and compare them byte by byte."""
    found = getattr(kernels, name)(*arguments, **keywords)
    expected = getattr(reference, name)(*arguments, **keywords)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    return found


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SEEDS, st.integers(1, 70), st.integers(1, 70), st.integers(1, 70))
def test_gemm_equals_its_twin(seed, m, k, n):
    rng = np.random.default_rng(seed)
    same("gemm_int8", bytes_(rng, m, k), weights(rng, k, n))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    SEEDS, st.sampled_from([1, 2, 5]), st.integers(3, 11), st.integers(3, 11), WIDTHS, WIDTHS,
    st.sampled_from([(1, 1), (3, 3), (1, 3), (3, 2)]), st.integers(1, 3), PADDINGS,
)  # fmt: skip
def test_convolutions_equal_their_twins(seed, n, height, width, cin, cout, size, stride, padding):
    rng = np.random.default_rng(seed)
    zero_points, clamp = rng.integers(0, 256, 2).tolist(), {"low": 3, "high": 251}
    x, window = bytes_(rng, n, height, width, cin), {"stride": stride, "padding": padding}
    bias, *scale = rescaling(rng, cout)
    arguments = (zero_points[0], bias, *scale, zero_points[1])
    fraction = weights(rng, cout)
    same("conv2d_int8", x, weights(rng, *size, cin, cout), *arguments, **clamp, **window, fraction=fraction)
    bias, *scale = rescaling(rng, cin)
    arguments = (zero_points[0], bias, *scale, zero_points[1])
    same("depthwise_conv2d_int8", x, weights(rng, *size, cin), *arguments, **window, fraction=weights(rng, cin))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS, WIDTHS, st.sampled_from([1, 40, 2**20]))
def test_fractions_of_a_step_count_at_every_shift_that_has_some(seed, channels, largest):
    """Sums of few steps, so that the fraction decides; and large ones, beyond what steep channels hold."""
    rng = np.random.default_rng(seed)
    x, weight = bytes_(rng, 2, 3, 3, channels) % 3, rng.integers(-1, 2, (3, 3, channels), np.int8)
    bias = rng.integers(-largest, largest + 1, channels).astype(np.int32)
    _, multiplier, shift = rescaling(rng, channels, shifts=(22, 63))
    rest = (1, bias, multiplier, shift, 128, 0, 255, 1, 1, weights(rng, channels))
    same("depthwise_conv2d_int8", x, weight, *rest)
    same("conv2d_int8", x[..., :1].copy(), weight[:, :, None], *rest)


def test_where_a_step_is_more_than_a_byte_there_are_no_fractions():
    x, weight = np.ones((1, 1, 1, 1), np.uint8), np.ones((1, 1, 1, 2), np.int8)
    rows = [np.zeros(2, np.int32), np.full(2, 2**30, np.int32), np.array([22, 21], np.int8)]
    for fraction, wrong in (([5, 0], False), ([0, 5], True)):
        call = (x, weight, 0, *rows, 0, 0, 255, 1, 0, np.array(fraction, np.int8))
        if not wrong:
            same("conv2d_int8", *call)
            continue
        with pytest.raises(
            ValueError, match=r"`fraction\[1\]` \(=5\) must be 0: multiplier·2\^−shift is 512 or more there"
        ):
            kernels.conv2d_int8(*call)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(SEEDS, st.integers(0, 5), WIDTHS, WIDTHS)
def test_linear_layers_equal_their_twins(seed, n, cin, cout):
    rng = np.random.default_rng(seed)
    x, weight, zero_point = bytes_(rng, n, cin), weights(rng, cin, cout), int(rng.integers(0, 256))
    bias, multiplier, shift = rescaling(rng, cout)
    same("linear_int8", x, weight, zero_point, bias, multiplier, shift, 7)
    same("logits_int8", x, weight, zero_point, bias, rng.random(cout).astype(np.float32))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(SEEDS, st.sampled_from([1, 2, 5]), st.integers(3, 9), WIDTHS, st.integers(1, 3), st.integers(0, 1))
def test_pooling_and_sums_equal_their_twins(seed, n, height, channels, stride, padding):
    rng = np.random.default_rng(seed)
    x, zero_points = bytes_(rng, n, height, height + 1, channels), rng.integers(0, 256, 3).tolist()
    multiplier = int(rng.integers(2**30, 2**31))
    same("max_pool2d_int8", x, 3, stride, padding)
    same("avg_pool2d_int8", x, 3, stride, padding, multiplier, 34, *zero_points[:2])
    same("global_avg_pool2d_int8", x, multiplier, 36, *zero_points[:2])
    same("add_int8", x, bytes_(rng, *x.shape), multiplier, multiplier // 3, 31, *zero_points)
    same("clip_int8", x, 9, 200)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SEEDS, st.lists(st.integers(0, 9), min_size=1, max_size=3), st.integers(0, 255))
def test_conversions_equal_their_twins(seed, shape, zero_point):
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 3, shape).astype(np.float32)
    scale = float(rng.uniform(1e-3, 0.1))
    q = same("quantize", x, scale, zero_point)
    same("dequantize", q, scale, zero_point)
    acc = rng.integers(-(2**31), 2**31, (*shape, 5)).astype(np.int32)
    bias, multiplier, shift = rescaling(rng, 5, shifts=(1, 63))
    same("requantize", acc, bias, multiplier, shift, zero_point, 1, 254)


def test_quantize_rounds_half_to_even_clamps_and_takes_nan_for_the_lowest():
    x = np.array([0.5, 1.5, 2.5, -0.5, -1e30, 1e30, np.inf, -np.inf, np.nan], np.float32)
    expected = [10, 12, 12, 10, 0, 255, 255, 0, 0]
    assert same("quantize", x, 1.0, 10).tolist() == expected


@pytest.mark.parametrize("shift", [1, 2, 30, 31, 32, 33, 34, 40, 61, 62])
@pytest.mark.parametrize("m", [0, 1, 12345, 2**29 + 1, 2**30, 2**30 + 1, 1518500250, 2**31 - 1])
def test_requantize_is_the_rule_in_exact_integers(shift, m):
    """Python's integers have no width: the formula is computed by the book."""
    half = 2 ** (shift - 1)
    edges = [(k * 2**shift - half) // max(m, 1) + d for k in (-3, -1, 0, 1, 2, 100) for d in (-1, 0, 1)]
    sums = [t for t in [*edges, 0, 1, -1, 2**31 - 1, -(2**31)] if -(2**31) <= t < 2**31]
    expected = [min(max(128 + (t * m + half) // 2**shift, 5), 250) for t in sums]
    acc, one = np.array(sums, np.int32)[:, None], np.ones(1, np.int32)
    found = kernels.requantize(acc, 0 * one, m * one, np.array([shift], np.int8), 128, 5, 250)
    assert found[:, 0].tolist() == expected
    # The same sums through the tile of a convolution: k inputs of 1 with the weight 0 leave the bias as the sum.
    x, weight = np.ones((1, 1, 1, 4), np.uint8), np.zeros((1, 1, 4, len(sums)), np.int8)
    constants = (np.array(sums, np.int32), np.full(len(sums), m, np.int32), np.full(len(sums), shift, np.int8))
    assert kernels.conv2d_int8(x, weight, 0, *constants, 128, 5, 250).reshape(-1).tolist() == expected
    taps = np.zeros((1, 1, len(sums)), np.int8)
    x = np.ones((1, 1, 1, len(sums)), np.uint8)
    assert kernels.depthwise_conv2d_int8(x, taps, 0, *constants, 128, 5, 250).reshape(-1).tolist() == expected


@pytest.mark.parametrize("a", [0, 255])
@pytest.mark.parametrize("w", [-128, 127])
def test_extreme_bytes_do_not_saturate(a, w):
    """k = 65,793 products of 255·(−128) are the most that int32 holds; pairs of products overflow int16."""
    x, weight = np.full((3, 65_793), a, np.uint8), np.full((65_793, 17), w, np.int8)
    np.testing.assert_array_equal(kernels.gemm_int8(x, weight), np.full((3, 17), a * w * 65_793, np.int32))
    image, taps = np.full((1, 3, 3, 9), a, np.uint8), np.full((3, 3, 9), w, np.int8)
    constants = (np.zeros(9, np.int32), np.full(9, 2**30, np.int32), np.full(9, 41, np.int8))
    found = kernels.depthwise_conv2d_int8(image, taps, 0, *constants, 128)
    assert (found == min(max(128 + (9 * a * w + 1024) // 2048, 0), 255)).all()


SCRIPT = """
import hashlib, llvmlite.binding, sys

threads, missing = int(sys.argv[1]), sys.argv[2]
features = llvmlite.binding.get_host_cpu_features()
for name in features:  # Numba, too, will write for a CPU that lacks them
    features[name] = features[name] and not (missing and missing in name)
llvmlite.binding.get_host_cpu_features = lambda: features

import numba, numpy as np
from tinyslim import kernels
numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
rng = np.random.default_rng(0)
digest = hashlib.sha256()
for cin, cout, size in [(3, 11, 3), (45, 27, 1), (16, 40, 3), (512, 512, 1)]:
    x = rng.integers(0, 256, (2, 15, 14, cin), np.uint8)
    w = rng.integers(-128, 128, (size, size, cin, cout), np.int8)
    m, s = np.full(cout, 1518500250, np.int32), rng.integers(30, 44, cout).astype(np.int8)
    for images in (x, x[:1]):
        digest.update(kernels.conv2d_int8(images, w, 7, np.zeros(cout, np.int32), m, s, 120, padding=size // 2))
    taps = np.ascontiguousarray(w[:, :, 0])
    wide = rng.integers(0, 256, (1, 15, 14, cout), np.uint8)
    digest.update(kernels.depthwise_conv2d_int8(wide, taps, 7, np.zeros(cout, np.int32), m, s, 120))
    digest.update(kernels.gemm_int8(x.reshape(-1, cin), w.reshape(-1, cin, cout)[0]))
print(digest.hexdigest())
"""


def digest(threads: int, missing: str = "", **environment: str) -> str:
    """What SCRIPT prints, on so many threads, on a CPU without the features whose names contain `missing`."""
    command = [sys.executable, "-c", SCRIPT, str(threads), missing]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_threads_change_no_byte():
    assert digest(1) == digest(MANY)


@pytest.mark.parametrize("path", jit.PATHS[: jit.PATHS.index(jit.best_path())])
def test_each_path_gives_the_same_bytes(path):
    several = MANY
    assert digest(several, TINYSLIM_ISA=path) == digest(several)


@pytest.mark.parametrize("missing", ["avx512", "vnni", "avx"])
def test_a_cpu_that_lacks_instructions_gives_the_same_bytes(missing):
    assert digest(2, missing) == digest(2)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": np.zeros((1, 4, 4, 3), np.int8)}, TypeError, r"`x` \(=int8\) must be an array of uint8"),
        ({"x": np.zeros((1, 4, 4, 2), np.uint8)}, ValueError, r"`x` \(shape \(1, 4, 4, 2\)\)"),
        ({"shift": np.zeros(5, np.int8)}, ValueError, r"`shift` \(=0 … 0\) must be from 1 to 62"),
        ({"multiplier": np.full(5, -1, np.int32)}, ValueError, r"`multiplier` \(=-1\) must not be negative"),
        ({"zero_point": 256}, ValueError, r"`zero_point` \(=256\) must be from 0 to 255"),
        ({"low": 9, "high": 8}, ValueError, r"`low` \(=9\) must not exceed `high` \(=8\)"),
        ({"stride": 0}, ValueError, r"`stride` \(=0\) must be at least 1"),
        ({"weight": np.zeros((9, 9, 3, 5), np.int8)}, ValueError, "does not fit an image"),
    ],
)
@pytest.mark.parametrize("room", [kernels, reference])
def test_wrong_arguments_are_named(room, change, error, message):
    right = {
        "x": np.zeros((1, 4, 4, 3), np.uint8), "weight": np.zeros((3, 3, 3, 5), np.int8), "input_zero_point": 0,
        "bias": np.zeros(5, np.int32), "multiplier": np.full(5, 2**30, np.int32), "shift": np.full(5, 40, np.int8),
        "zero_point": 0,
    }  # fmt: skip
    room.conv2d_int8(**right)
    with pytest.raises(error, match=message):
        room.conv2d_int8(**(right | change))


def test_a_wrong_kernel_is_caught():
    """The comparison itself can fail: a kernel that rounds down instead of half up."""
    acc, constants = np.arange(-50, 50, dtype=np.int32)[:, None], (np.full(1, 2**30, np.int32), np.full(1, 33, np.int8))

    def rounding_down(acc, bias, multiplier, shift, zero_point, low=0, high=255):
        return np.clip(zero_point + ((acc.astype(np.int64) + bias) * multiplier >> shift), low, high).astype(np.uint8)

    with kernels.use(requantize=rounding_down), pytest.raises(AssertionError, match="Arrays are not equal"):
        same("requantize", acc, np.zeros(1, np.int32), *constants, 128)
