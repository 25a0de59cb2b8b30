"""Files: whole or not there, refused when they are not what they should be, models without their class."""

from __future__ import annotations

import json
import stat

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import tinyslim.functional as F
from tinyslim import Tensor, graph, models, nn, train
from tinyslim.files import write_atomically, write_text_atomically

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b/c.d": np.array(7), "empty": np.zeros((0, 2), np.int8)}


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "some.npz"
    train.write_archive(path, "thing", {"answer": [1, 2.5, None, "ü"]}, ARRAYS)
    return path


def test_archive_gives_back_header_and_arrays(archive):
    header, arrays = train.read_archive(archive, "thing")
    assert header["answer"] == [1, 2.5, None, "ü"]
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype


def test_same_contents_give_the_same_bytes(archive, tmp_path):
    train.write_archive(tmp_path / "again.npz", "thing", {"answer": [1, 2.5, None, "ü"]}, ARRAYS)
    assert (tmp_path / "again.npz").read_bytes() == archive.read_bytes()


def test_archive_of_another_kind_is_refused(archive):
    with pytest.raises(ValueError, match=r"is a tinyslim-thing, expected a tinyslim-model"):
        train.load(archive)


def test_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file '.*nothing\.npz'"):
        train.load(tmp_path / "nothing.npz")


def test_archive_of_a_later_version_is_refused(tmp_path):
    train.write_archive(tmp_path / "later.npz", "thing", {"version": 2}, {})
    with pytest.raises(ValueError, match="has version 2, this tinyslim reads version 1"):
        train.read_archive(tmp_path / "later.npz", "thing")


def write_pickle(path):
    np.savez(path, header=np.array([{"format": "tinyslim-thing"}], dtype=object))


STRANGERS = {
    "nothing": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("no archive"),
    "one array": lambda path: np.save(path.open("wb"), np.ones(3)),
    "other arrays": lambda path: np.savez(path, weights=np.ones(3)),
    "pickle": write_pickle,
    "a header that is no JSON": lambda path: np.savez(path, header=np.arange(9, dtype=np.uint8)),
    "a header that is no object": lambda path: np.savez(path, header=np.frombuffer(b"[1]", np.uint8)),
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_file_that_is_no_archive_is_refused(stranger, tmp_path):
    path = tmp_path / "stranger.npz"
    STRANGERS[stranger](path)
    with pytest.raises(ValueError, match=r"'.*stranger\.npz' is not a whole tinyslim thing"):
        train.read_archive(path, "thing")


def test_archive_cut_off_anywhere_is_refused(archive):
    whole = archive.read_bytes()
    for end in range(0, len(whole), 37):
        archive.write_bytes(whole[:end])
        with pytest.raises(ValueError, match="is not a whole tinyslim thing"):
            train.read_archive(archive, "thing")


def test_damaged_byte_is_noticed_or_harmless(archive):
    whole = archive.read_bytes()
    noticed = 0
    for position in range(0, len(whole), 3):
        archive.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        try:
            header, arrays = train.read_archive(archive, "thing")
        except ValueError:
            noticed += 1
            continue
        assert header["answer"] == [1, 2.5, None, "ü"]
        for name in arrays.keys() & ARRAYS.keys():
            assert_array_equal(arrays[name], ARRAYS[name])
    assert noticed > len(whole) // 3 / 2


def test_array_cannot_take_the_headers_place(tmp_path):
    with pytest.raises(ValueError, match="`arrays` must not hold one named 'header'"):
        train.write_archive(tmp_path / "clash.npz", "thing", {}, {"header": np.ones(3)})


def test_writing_that_fails_midway_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "result.txt"
    write_text_atomically(path, "old")

    def half(file):
        file.write(b"half of the new")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, half)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_model_that_cannot_be_written_leaves_the_old_model(tmp_path, monkeypatch):
    path = tmp_path / "model.npz"
    train.save(nn.Sequential(nn.Linear(2, 2)), path, np.zeros((1, 2)))
    before = path.read_bytes()

    def full_disk(file, **arrays):
        file.write(b"PK")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="No space left"):
        train.save(nn.Sequential(nn.Linear(2, 2, seed=1)), path, np.zeros((1, 2)))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_written_file_can_be_read_by_whoever_may_read_the_folder(tmp_path):
    write_text_atomically(tmp_path / "deep" / "result.txt", "text")
    assert stat.S_IMODE((tmp_path / "deep" / "result.txt").stat().st_mode) == 0o644


def test_model_loads_without_its_class(tmp_path, rng):
    class Own(nn.Module):
        def __init__(self):
            self.conv = nn.Conv2d(1, 4, 3, padding=1)
            self.gain = Tensor(np.float32([2.0]), requires_grad=True)

        def forward(self, x):
            return F.global_avg_pool2d(F.relu(self.conv(x)) * self.gain + x)

    model = Own()
    model.preprocessing = (0.5,), (0.25,)
    x = rng.standard_normal((2, 6, 6, 1)).astype(np.float32)
    expected = model(x).data
    train.save(model, tmp_path / "own.npz")
    loaded = train.load(tmp_path / "own.npz")
    assert_array_equal(loaded(x).data, expected)
    assert type(loaded) is graph.GraphModule
    assert not loaded.training
    assert loaded.preprocessing == model.preprocessing
    assert [name for name, _ in loaded.named_parameters()] == ["gain", "conv.weight", "conv.bias"]


def test_loaded_model_is_saved_to_the_same_bytes(tmp_path):
    train.save(models.mobilenet_v1(num_classes=3, width=0.125, in_channels=1, stem_stride=1), tmp_path / "first.npz")
    train.save(train.load(tmp_path / "first.npz"), tmp_path / "second.npz")
    assert (tmp_path / "second.npz").read_bytes() == (tmp_path / "first.npz").read_bytes()


def test_loaded_model_trains_on_as_the_saved_one(tmp_path, stripes, small_net):
    model = small_net()
    train.save(model, tmp_path / "model.npz", np.zeros((1, 8, 8, 1)))
    loaded = train.load(tmp_path / "model.npz")
    for network in (model, loaded):
        train.fit(network, stripes, epochs=1, batch_size=30, lr=0.1, quiet=True)
    for name, array in model.state_dict().items():
        assert_array_equal(loaded.state_dict()[name], array, err_msg=name)


def test_model_that_never_saw_an_image_needs_an_example(tmp_path):
    model = nn.Sequential(nn.Conv2d(1, 2, 3))
    with pytest.raises(ValueError, match="has not seen an image yet: give an `example`"):
        train.save(model, tmp_path / "model.npz")
    train.save(model, tmp_path / "model.npz", np.zeros((1, 5, 5, 1)))
    assert train.load(tmp_path / "model.npz").get("0").weight.shape == (3, 3, 1, 2)


def test_model_file_holds_no_pickle_and_a_json_header(tmp_path):
    train.save(nn.Sequential(nn.Linear(2, 2)), tmp_path / "model.npz", np.zeros((1, 2)))
    with np.load(tmp_path / "model.npz", allow_pickle=False) as file:
        header = json.loads(file["header"].tobytes())
        assert set(file.files) == {"header", "0.weight", "0.bias"}
    assert (header["format"], header["version"]) == ("tinyslim-model", 1)
