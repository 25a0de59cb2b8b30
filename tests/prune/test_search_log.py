from __future__ import annotations

import json

import numpy as np
import pytest

from tinyslim import nn, prune

EXAMPLE = np.zeros((1, 12, 12, 1), np.float32)


def net(seed: int = 0) -> nn.Module:
    layers = nn.Conv2d(1, 8, 3, seed=seed), nn.ReLU(), nn.Conv2d(8, 16, 3, seed=seed), nn.ReLU()
    return nn.Sequential(*layers, nn.GlobalAvgPool2d(), nn.Linear(16, 4, seed=seed))


def norm(model: nn.Module) -> float:
    return float(sum(np.abs(array).sum() for array in model.state_dict().values()))


def other_norm(model: nn.Module) -> float:
    return -norm(model)


def doubled(model: nn.Module) -> nn.Module:
    model.get("0").weight.data *= 2
    return model


def search(steps=10, model=None, evaluate=norm, **settings) -> prune.Search:
    return prune.plan_search(model or net(), EXAMPLE, evaluate, steps=steps, **settings)


def test_the_log_is_json_lines_the_search_and_then_its_trials(tmp_path):
    found = search(path=tmp_path / "runs" / "search.jsonl", target_flops=(0.4, 0.6))
    header, *rows = map(json.loads, (tmp_path / "runs" / "search.jsonl").read_text().splitlines())
    assert (header["format"], header["target_flops"], header["steps"]) == ("tinyslim-search 1", [0.4, 0.6], 10)
    assert [prune.Trial(**row) for row in rows] == list(found.trials)


def test_a_finished_search_is_read_from_its_log(tmp_path):
    path = tmp_path / "search.jsonl"
    whole = search(12, path=path)
    text, told = path.read_text(), []
    assert search(12, path=path, on_trial=told.append).trials == whole.trials
    assert path.read_text() == text
    assert told == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "seed was 0, now 1"),
        ({"steps": 11}, "steps was 10, now 11"),
        ({"target_flops": (0.4, 0.6)}, r"target_flops was 0\.5, now \[0\.4, 0\.6\]"),
        ({"criterion": "l2_norm"}, "criterion was 'l1_norm', now 'l2_norm'"),
        ({"init_temperature": 1.0}, r"init_temperature was None, now 1\.0"),
        ({"retrain": doubled}, "retrain was None, now '.*doubled'"),
        ({"evaluate": other_norm}, "evaluate was '.*norm', now '.*other_norm'"),
        ({"model": net(1)}, "model was '[0-9a-f]{16}', now '[0-9a-f]{16}'$"),
    ],
)
def test_the_log_of_another_search_is_refused_and_stays(tmp_path, change, message):
    path = tmp_path / "search.jsonl"
    search(10, path=path)
    text = path.read_text()
    with pytest.raises(ValueError, match=f"belongs to another search: {message}"):
        search(**{"steps": 10, "path": path} | change)
    assert path.read_text() == text


def planted(path, fault) -> None:
    search(6, path=path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(fault(lines)))


def altered(line: str, **values) -> str:
    return json.dumps(json.loads(line) | values)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda lines: [*lines[:4], lines[4][:30], *lines[5:]], r"line 5 of the log '.*' is damaged"),
        (lambda lines: [*lines[:2], *lines[3:]], r"line 3 of the log '.*' does not follow: .*step was 2, now 1"),
        (lambda lines: [*lines[:3], altered(lines[3], accepted="?")], r"line 4 .* does not follow: accepted was '\?'"),
        (lambda lines: [*lines[:3], altered(lines[3], ratios={"0": 0.5})], "line 4 .* does not follow: ratios was"),
        (lambda lines: [*lines[:3], altered(lines[3], mood=1)], "line 4 .* is damaged: .*mood"),
        (lambda lines: [altered(lines[0], model="0" * 16), *lines[1:]], "belongs to another search: model was '0000"),
        (lambda lines: [], "line 1 of the log '.*' is damaged"),
        (lambda lines: ["[1, 2]", *lines[1:]], "line 1 of the log '.*' is damaged"),
    ],
)
def test_a_damaged_log_is_refused(tmp_path, fault, message):
    planted(tmp_path / "search.jsonl", fault)
    with pytest.raises(ValueError, match=message):
        search(6, path=tmp_path / "search.jsonl")
