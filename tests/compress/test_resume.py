"""A run that is stopped anywhere and resumed ends in the very numbers of one that was never stopped."""

from __future__ import annotations

import json
from typing import ClassVar

import numpy as np
import pytest

from tinyslim.compress import Compressor, Strategy, register
from tinyslim.train import TrainingDivergedError, write_archive

MADE = {
    *("program.npz", "model.npz", "best.npz", "metrics.json", "config.json", "report.html"),
    *("compression.png", "widths.png"),
}


@register
class Stopper(Strategy):
    """Presses Ctrl-C once, where it is told to; remembers things of every kind beside."""

    where: ClassVar[tuple | None] = None

    def at(self, context, hook: str, batch: int = 0) -> None:
        if type(self).where == (hook, context.epoch, batch):
            type(self).where = None
            raise KeyboardInterrupt

    def on_epoch_begin(self, context):
        self.at(context, "epoch_begin")

    def on_batch_end(self, context):
        state = context.state[self.name]
        state["steps"] = state.get("steps", 0) + 1
        state["losses"] = np.append(state.get("losses", np.zeros(0)), context.batch.loss)
        self.at(context, "batch_end", context.batch.index)

    def on_epoch_end(self, context):
        context.state[self.name]["words"] = ["epoch", context.epoch]
        self.at(context, "epoch_end")

    def on_compression_end(self, context):
        self.at(context, "compression_end")


@pytest.fixture
def config(everything) -> dict:
    everything["strategies"]["stop"] = {"class": "Stopper"}
    return everything


@pytest.fixture
def compress_in(trained, train_set, test_set, config):
    def run(out, config=config, model=trained, train_set=train_set, test_set=test_set, **more):
        return Compressor(model, train_set, test_set, config, out=out, quiet=True, **more).run()

    return run


def timeless(metrics: dict) -> dict:
    """Metrics without what a clock says."""
    if isinstance(metrics, dict):
        return {key: timeless(value) for key, value in metrics.items() if key not in ("seconds", "latency_ms")}
    return [timeless(value) for value in metrics] if isinstance(metrics, list) else metrics


def results(folder) -> tuple[bytes, bytes, dict]:
    return (
        (folder / "program.npz").read_bytes(),
        (folder / "model.npz").read_bytes(),
        timeless(json.loads((folder / "metrics.json").read_text())),
    )


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Where the run that nobody stops leaves its results; the first test that asks for it runs it."""
    return tmp_path_factory.mktemp("unbroken") / "run"


@pytest.mark.parametrize(
    "where",
    [
        ("epoch_begin", 0, 0),
        ("batch_end", 0, 3),
        ("epoch_end", 0, 0),
        ("batch_end", 1, 0),
        ("epoch_begin", 2, 0),
        ("batch_end", 2, 5),
        ("compression_end", 3, 0),
    ],
    ids=str,
)
def test_a_run_stopped_anywhere_ends_in_the_same_bytes(where, compress_in, unbroken, tmp_path):
    if not unbroken.exists():
        compress_in(unbroken)
    Stopper.where = where
    begin = f"after epoch {where[1]}" if where[1] else "before epoch 1"
    with pytest.raises(KeyboardInterrupt, match=rf"--resume .* goes on {begin}, in {tmp_path}"):
        compress_in(tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.json").exists()
    result = compress_in(tmp_path / "run", resume=True)
    assert result.out == tmp_path / "run"
    assert results(result.out) == results(unbroken)
    assert {path.name for path in result.out.iterdir()} == MADE


def test_a_run_stopped_in_each_epoch_ends_in_the_same_bytes(compress_in, unbroken, tmp_path):
    if not unbroken.exists():
        compress_in(unbroken)
    for epoch in range(3):
        Stopper.where = ("batch_end", epoch, 1)
        with pytest.raises(KeyboardInterrupt):
            compress_in(tmp_path, resume=epoch > 0)
    assert results(compress_in(tmp_path, resume=True).out) == results(unbroken)


def test_learned_steps_and_a_frozen_batch_norm_resume_to_the_same_bytes(compress_in, config, tmp_path):
    config["strategies"]["quant"] |= {
        "weight_quantize_type": "lsq",
        "activation_quantize_type": "lsq",
        "activation_symmetric": False,
        "freeze_batch_norm": 0.6,
    }
    compress_in(tmp_path / "unbroken", config)
    for where in (("batch_end", 1, 3), ("epoch_begin", 2, 0)):
        Stopper.where = where
        with pytest.raises(KeyboardInterrupt):
            compress_in(tmp_path / "run", config, resume=where[1] > 1)
    result = compress_in(tmp_path / "run", config, resume=True)
    assert results(result.out) == results(tmp_path / "unbroken")


def test_the_comparison_of_runs_sees_another_seed(compress_in, config, unbroken, tmp_path):
    if not unbroken.exists():
        compress_in(unbroken)
    config["compressor"]["seed"] = 1
    other = results(compress_in(tmp_path, config).out)
    assert all(a != b for a, b in zip(other, results(unbroken), strict=True))


def stopped_after_one_epoch(compress_in, out):
    Stopper.where = ("epoch_begin", 1, 0)
    with pytest.raises(KeyboardInterrupt):
        compress_in(out)


def test_another_config_is_refused_and_the_difference_shown(compress_in, config, tmp_path):
    stopped_after_one_epoch(compress_in, tmp_path)
    config["compressor"]["lr"] = 0.03
    config["strategies"]["prune"]["target_ratio"] = 0.3
    expected = r"another run: compressor\.lr was 0\.02, now 0\.03; strategies\.prune\.target_ratio was 0\.4, now 0\.3$"
    with pytest.raises(ValueError, match=expected):
        compress_in(tmp_path, resume=True)


def test_another_model_and_other_data_are_refused(compress_in, untrained, train_set, test_set, tmp_path):
    stopped_after_one_epoch(compress_in, tmp_path)
    with pytest.raises(ValueError, match=r"another run: model was '[0-9a-f]{16}', now '[0-9a-f]{16}'$"):
        compress_in(tmp_path, model=untrained, resume=True)
    with pytest.raises(ValueError, match=r"another run: .*train_data was 'Dataset\(96 images.*now 'Dataset\(95 images"):
        compress_in(tmp_path, train_set=train_set.subset(95), resume=True)
    with pytest.raises(ValueError, match=r"another run: test_data was 'Dataset\(60 images.*now 'Dataset\(59 images"):
        compress_in(tmp_path, test_set=test_set.subset(59), resume=True)
    with pytest.raises(ValueError, match=r"another run: teacher was None, now '"):
        compress_in(tmp_path, teacher=untrained, resume=True)


def test_resuming_without_a_checkpoint_starts_afresh_and_says_so(
    trained, train_set, test_set, config, tmp_path, capsys
):
    result = Compressor(trained, train_set, test_set, config, out=tmp_path / "new", resume=True).run()
    assert result.out == tmp_path / "new"
    assert f"there is no checkpoint to resume from in {tmp_path / 'new'}: starting afresh" in capsys.readouterr().out


def test_a_finished_or_a_stopped_run_is_never_overwritten(compress_in, tmp_path):
    out = tmp_path / "run"
    first = compress_in(out)
    before = (first.out / "metrics.json").read_bytes()
    stopped_after_one_epoch(compress_in, out)
    assert (tmp_path / "run-2" / "checkpoint.npz").exists()
    assert compress_in(out).out == tmp_path / "run-3"
    assert compress_in(out, resume=True).out == tmp_path / "run-2"
    assert (out / "metrics.json").read_bytes() == before


def test_a_damaged_checkpoint_is_one_clear_message(compress_in, tmp_path):
    stopped_after_one_epoch(compress_in, tmp_path)
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r"checkpoint\.npz' is not a whole tinyslim compression"):
        compress_in(tmp_path, resume=True)
    write_archive(path, "model", {}, {})
    with pytest.raises(ValueError, match="is a tinyslim-model, expected a tinyslim-compression"):
        compress_in(tmp_path, resume=True)


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_checkpoint(compress_in, config, tmp_path):
    config["strategies"]["quant"]["lr"] = 1e30
    told = r"(loss is|no longer finite) .*in epoch 2, .* checkpoint after epoch 1 is kept in"
    with np.errstate(all="ignore"), pytest.raises(TrainingDivergedError, match=told):
        compress_in(tmp_path, config)
    assert (tmp_path / "checkpoint.npz").exists()
    assert not (tmp_path / "metrics.json").exists()


def test_what_a_kill_left_half_written_is_swept_away(compress_in, tmp_path):
    stopped_after_one_epoch(compress_in, tmp_path)
    (tmp_path / ".checkpoint.npz.abc123").write_bytes(b"half")
    (tmp_path / ".not.mine.txt").write_text("stays")
    compress_in(tmp_path, resume=True)
    assert {path.name for path in tmp_path.iterdir()} == MADE | {".not.mine.txt"}
