"""How matrix products are cut into parts, packed and summed."""

from __future__ import annotations

import numpy as np
import pytest
from tinyslim.kernels import jit, matrix_product, panels

from tinyslim import kernels

pytestmark = pytest.mark.skipif(not jit.COMPILED, reason="nothing is compiled")


def test_long_products_are_cut_by_rows_and_wide_ones_by_columns():
    assert matrix_product.cut(65536, 64, 32, parts=8) == (8, 1)
    assert matrix_product.cut(784, 256, 32, parts=8) == (2, 4)
    assert matrix_product.cut(49, 1024, 32, parts=8) == (1, 8)
    assert matrix_product.cut(0, 0, 32, parts=8) == (1, 1)


@pytest.mark.parametrize("count", [0, 1, 7, 64, 65])
def test_shares_cover_each_row_once(count):
    shares = [matrix_product.share(count, 8, part, 3) for part in range(3)]
    assert [i for first, last in shares for i in range(first, last)] == list(range(count))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_transposed_matrix_packs_into_the_same_panels(dtype):
    matrix = np.random.default_rng(0).normal(size=(37, 45)).astype(dtype)
    packed, turned = (panels.pack(panels.Matrix.of(m)) for m in (matrix, np.ascontiguousarray(matrix.T).T))
    wide = panels.width(dtype)
    for p in (packed, turned):
        blocks = p.reshape(-1, 37, wide)
        assert (np.concatenate(blocks, axis=1)[:, :45] == matrix).all()


@pytest.mark.parametrize(("m", "k", "n"), [(70, 700, 64), (9, 300, 33), (5, 0, 3)])
def test_deep_products_add_up_block_by_block(m, k, n):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(m, k)), rng.normal(size=(k, n))
    np.testing.assert_allclose(kernels.gemm(a, b), a @ b, atol=1e-11)
    np.testing.assert_allclose(kernels.gemm(np.ascontiguousarray(a.T).T, b), a @ b, atol=1e-11)
