"""What a record's file holds is believed only as it was written."""

from __future__ import annotations

import json

import pytest

from tinyslim.tables.records import KEYS, kept_record, read_record, write_record

RECORD = dict.fromkeys(KEYS) | {"version": 1, "settings": {"lr": 0.1}, "metrics": {"after": {"top1": 0.9}}}


@pytest.fixture
def path(tmp_path):
    write_record(tmp_path / "row-seed0.json", RECORD)
    return tmp_path / "row-seed0.json"


def test_record_comes_back(path):
    assert read_record(path) == RECORD


def test_number_that_was_changed_by_hand_is_caught(path):
    path.write_text(path.read_text().replace("0.9", "0.95"))
    with pytest.raises(ValueError, match=r"row-seed0.json' was changed after it was written: remove it"):
        read_record(path)


def test_settings_that_were_changed_by_hand_are_caught(path):
    path.write_text(path.read_text().replace('"lr": 0.1', '"lr": 0.2'))
    with pytest.raises(ValueError, match="was changed after it was written"):
        kept_record(path, {"lr": 0.2})


def test_white_space_is_no_change(path):
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert read_record(path) == RECORD


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 2}', '{"version": 1, "row": "x"}'])
def test_file_that_is_no_record_is_refused(path, text):
    path.write_text(text)
    with pytest.raises(ValueError, match=r"row-seed0.json' is no record"):
        read_record(path)


def test_record_of_other_settings_is_refused_with_what_differs(path):
    assert kept_record(path, {"lr": 0.1}) == RECORD
    with pytest.raises(ValueError, match=r"other settings: lr was 0.1, now 0.2; seed was None, now 1"):
        kept_record(path, {"lr": 0.2, "seed": 1})


def test_there_is_no_record_where_there_is_no_file(tmp_path):
    assert kept_record(tmp_path / "none.json", {}) is None


def test_record_must_be_whole(tmp_path):
    with pytest.raises(ValueError, match="lacks version, data"):
        write_record(tmp_path / "none.json", {"row": "x"})
    with pytest.raises(ValueError, match="JSON"):
        write_record(tmp_path / "none.json", RECORD | {"seconds": float("nan")})
    assert list(tmp_path.iterdir()) == []
