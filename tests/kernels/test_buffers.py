"""Large arrays reuse the memory that earlier ones have left, and never memory that somebody still sees."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tinyslim.kernels import buffers

SHAPE = (300, 301)


@pytest.fixture(autouse=True)
def an_empty_pool():
    buffers.release()
    yield
    buffers.release()


def place(array: np.ndarray) -> int:
    return array.ctypes.data


def test_memory_that_is_free_is_used_again():
    first = buffers.empty(SHAPE, np.float32)
    where = place(first)
    del first
    assert buffers.free_bytes() >= 300 * 301 * 4
    assert place(buffers.empty(SHAPE, np.float32)) == where


def test_memory_that_a_view_still_sees_is_not_used_again():
    first = buffers.empty(SHAPE, np.float32)
    first[...] = 7
    view = first.reshape(-1)[5:50:3]
    del first
    second = buffers.empty(SHAPE, np.float32)
    second[...] = 0
    assert (view == 7).all()


def test_arrays_are_what_kernels_take_and_begin_on_a_cache_line():
    array = buffers.empty((257, 129), np.float64)
    assert array.shape == (257, 129)
    assert array.flags.carray
    assert place(array) % buffers.LINE == 0


def test_small_arrays_are_left_to_numpy():
    first = buffers.empty((10,), np.float32)
    del first
    assert buffers.free_bytes() == 0


def test_near_sizes_share_a_block():
    first = buffers.empty((100_000,), np.float32)
    where = place(first)
    del first
    assert place(buffers.empty((99_000,), np.float32)) == where


def test_not_more_than_a_bound_lies_free(monkeypatch):
    monkeypatch.setattr(buffers, "MOST", 500_000)
    arrays = [buffers.empty((100_000,), np.float32) for _ in range(3)]
    del arrays
    assert 0 < buffers.free_bytes() <= 500_000


def test_threads_never_share_a_block():
    def fill(number: int) -> bool:
        array = buffers.empty(SHAPE, np.float32)
        array[...] = number
        return bool((array == number).all())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(fill, range(200)))


def test_an_array_without_elements_has_its_shape():
    assert buffers.empty((0, 5), np.float32).shape == (0, 5)
