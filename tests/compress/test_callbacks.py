"""Callbacks are called where strategies are, see what they do, and can change none of it."""

from __future__ import annotations

import numpy as np
import pytest

from tinyslim import train
from tinyslim.compress import HOOKS, Compressor


@pytest.fixture
def compress_with(trained, train_set, test_set, everything, tmp_path):
    def run(*callbacks, name="out"):
        return Compressor(
            trained, train_set, test_set, everything, out=tmp_path / name, callbacks=callbacks, quiet=True
        ).run()

    return run


class Diary:
    """Writes down which hook was called when."""

    def __init__(self):
        self.lines = []

    def on_compression_begin(self, context):
        self.lines.append("compression_begin")

    def on_epoch_begin(self, context):
        self.lines.append(f"epoch_begin {context.epoch}")

    def on_batch_begin(self, context):
        self.lines.append("batch_begin")

    def on_batch_end(self, context):
        self.lines.append(f"batch_end {context.batch.index}")

    def on_epoch_end(self, context):
        self.lines.append(f"epoch_end {len(context.history)}")

    def on_compression_end(self, context):
        self.lines.append("compression_end")


def test_an_objects_hooks_are_called_in_paddle_slims_order(compress_with):
    diary = Diary()
    compress_with(diary)
    batches = [line for index in range(6) for line in ("batch_begin", f"batch_end {index}")]
    expected = ["compression_begin"]
    for epoch in range(3):
        expected += [f"epoch_begin {epoch}", *batches, f"epoch_end {epoch + 1}"]
    assert diary.lines == [*expected, "compression_end"]


def test_a_function_is_called_at_the_hook_that_it_is_named_after_and_sees_the_strategies_work(compress_with):
    seen = []

    def on_epoch_begin(context):
        seen.append((context.epoch, dict(context.state["prune"])["cuts"], context.model.get("0").weight.shape[-1]))

    result = compress_with(on_epoch_begin)
    width = result.model.get("0").weight.shape[-1]
    assert width < 8
    assert seen == [(epoch, 1, width) for epoch in range(3)]


def test_a_run_with_callbacks_that_look_at_everything_is_the_run_without_them(compress_with, test_set):
    scores = []

    class Look:
        def on_epoch_end(self, context):
            assert [str(getattr(context, name)) for name in dir(context)]
            scores.append(train.evaluate(context.model, context.test_set)["top1"])

        def on_batch_begin(self, context):
            assert context.model.state_dict() and context.train_set.mean

    watched, alone = compress_with(Look(), name="watched"), compress_with(name="alone")
    assert scores == [entry["top1"] for entry in watched.history]
    for file in ("program.npz", "model.npz", "best.npz"):
        assert (watched.out / file).read_bytes() == (alone.out / file).read_bytes()


def first_weights(context):
    return next(iter(context.model.state_dict().values()))


ATTEMPTS = {
    "set the model": (
        lambda c: setattr(c, "model", None),
        AttributeError,
        "can't set 'model': what changes a run",
    ),
    "set what is new": (lambda c: setattr(c, "mine", 1), AttributeError, "can't set 'mine'"),
    "replace the model": (lambda c: c.replace_model(c.model), AttributeError, "shown no 'replace_model'; what changes"),
    "reach the optimizer": (lambda c: c.optimizer, AttributeError, "shown no 'optimizer'"),
    "misspell": (lambda c: c.epochs, AttributeError, "shown no 'epochs'; did you mean 'epoch'?"),
    "write a weight": (lambda c: first_weights(c).fill(0), ValueError, "read-only"),
    "write a weight of the original": (lambda c: c.original.parameters()[0].data.fill(0), ValueError, "read-only"),
    "load weights": (lambda c: c.model.load_state_dict(c.model.state_dict()), ValueError, "read-only"),
    "write an image": (lambda c: c.train_set.images.fill(0), ValueError, "read-only"),
    "write a label": (lambda c: c.test_set.labels.fill(0), ValueError, "read-only"),
    "write the example": (lambda c: c.example.fill(0), ValueError, "read-only"),
    "write history": (lambda c: c.history[0].update(top1=1.0), AttributeError, "update"),
    "write state": (lambda c: c.state["prune"].__setitem__("cuts", 2), AttributeError, "__setitem__"),
    "write what a strategy found": (lambda c: c.state["prune"]["widths"]["0"].append(3), AttributeError, "append"),
    "change a setting": (lambda c: setattr(c.settings, "lr", 1.0), ValueError, "frozen"),
}


@pytest.fixture(scope="module")
def answers(trained, train_set, test_set, tmp_path_factory):
    """What each attempt was answered, in one run."""
    raised = {}

    def on_epoch_end(context):
        for name, (attempt, *_) in ATTEMPTS.items():
            try:
                attempt(context)
            except Exception as error:
                raised[name] = error

    config = {
        "compressor": {"epochs": 1, "batch_size": 32},
        "strategies": {"prune": {"class": "UniformPruneStrategy", "target_ratio": 0.4}},
    }
    out = tmp_path_factory.mktemp("attempts")
    Compressor(trained, train_set, test_set, config, out=out, callbacks=[on_epoch_end], quiet=True).run()
    return raised


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_each_attempt_to_change_something_raises(attempt, answers):
    _, kind, message = ATTEMPTS[attempt]
    assert type(answers.get(attempt)) in (kind, *kind.__subclasses__())
    assert message in str(answers[attempt])


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (Diary, r"`callbacks\[0\]` .* is a class: hand over an instance"),
        (lambda context: None, r"`callbacks\[0\]` .* must be a function named after a hook"),
        (3, r"`callbacks\[0\]` \(=3\) must be a function named after a hook"),
        (type("Near", (), {"on_epoch_ends": print})(), "on_epoch_ends, which is no hook; did you mean 'on_epoch_end'"),
    ],
    ids=("class", "nameless", "number", "misspelt"),
)
def test_what_has_no_hook_is_refused_before_any_work(callback, message, compress_with, tmp_path):
    with pytest.raises(TypeError, match=message):
        compress_with(callback)
    assert not list(tmp_path.iterdir())


def test_every_hook_of_a_strategy_is_one_of_a_callback():
    assert all(hasattr(Diary, hook) for hook in HOOKS)


def test_a_callback_can_stop_a_run(compress_with, tmp_path):
    def on_epoch_end(context):
        if context.history[-1]["train_top1"] > np.float64(0):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="goes on"):
        compress_with(on_epoch_end)
    assert (tmp_path / "out" / "checkpoint.npz").exists()
