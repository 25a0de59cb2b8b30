from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from tinyslim import data
from tinyslim.data.catalogue import FASHION_MNIST, FASHION_MNIST_MINI, SHIPPED
from tinyslim.data.make_fashion_mnist_mini import contents, first_of_each_class


def test_the_shipped_set_is_whole_and_small():
    train_set, test_set = data.load("fashion_mnist_mini", download=False)
    for dataset in (train_set, test_set):
        assert dataset.images.shape == (10_000, 28, 28, 1)
        assert np.bincount(dataset.labels).tolist() == [1000] * 10
    assert train_set.classes[9] == "Ankle boot"
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) <= 8_500_000
    assert "Copyright © 2017 Zalando SE" in (SHIPPED / "LICENSE-fashion-mnist.txt").read_text(encoding="utf-8")


def test_a_shipped_file_with_one_changed_byte_is_caught(tmp_path):
    (name,) = FASHION_MNIST_MINI.files
    changed = bytearray((SHIPPED / name).read_bytes())
    changed[len(changed) // 2] ^= 1
    (tmp_path / name).write_bytes(changed)
    with pytest.raises(ValueError, match=r"fashion_mnist_mini in .* can't be unpacked .*; install tinyslim again"):
        data.load("fashion_mnist_mini", root=tmp_path)


def test_the_script_reproduces_the_shipped_contents():
    train_set, test_set = data.load("fashion_mnist_mini")
    kept = first_of_each_class(train_set.labels, 1000)
    np.testing.assert_array_equal(kept, np.arange(10_000))
    assert hashlib.sha256(contents(train_set.subset(kept), test_set)).hexdigest() == FASHION_MNIST_MINI.sha256


def test_the_first_images_of_each_class_keep_the_order_of_the_file():
    assert first_of_each_class(np.array([1, 0, 1, 1, 0, 0]), 2).tolist() == [0, 1, 2, 4]


@pytest.mark.skipif(not FASHION_MNIST.places[0].is_dir(), reason="Debian's package dataset-fashion-mnist is not there")
def test_the_shipped_set_is_cut_from_the_whole_one():
    whole, _ = data.load("fashion_mnist", download=False)
    train_set, _ = data.load("fashion_mnist_mini")
    kept = first_of_each_class(whole.labels, 1000)
    np.testing.assert_array_equal(train_set.images, whole.images[kept])
    np.testing.assert_array_equal(train_set.labels, whole.labels[kept])


def test_an_unknown_name_is_met_with_the_nearest():
    with pytest.raises(ValueError, match=r"`name` \(='cifar-10'\) must be one of .*; did you mean 'cifar10'\?"):
        data.load("cifar-10")
    with pytest.raises(ValueError, match=r"`name` \(='xyz'\) must be one of [^;]*$"):
        data.load("xyz")


def test_names_are_what_load_knows():
    assert data.names() == ("fashion_mnist_mini", "fashion_mnist", "cifar10")


def test_import_loads_no_library_that_only_some_calls_need():
    script = "import sys, tinyslim.data; print(sorted({'PIL', 'pooch', 'requests', 'rich'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
