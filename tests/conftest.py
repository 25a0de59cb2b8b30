"""What all tests share: how hypothesis behaves, and a source of random numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings

# Deterministic, and without a deadline: the first example may compile a kernel.
settings.register_profile("tinyslim", deadline=None, derandomize=True, database=None, max_examples=30)
settings.load_profile("tinyslim")


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(0)
