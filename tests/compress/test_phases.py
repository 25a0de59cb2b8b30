"""What is made anew when the model is replaced, and which of its models is called the best."""

from __future__ import annotations

import json
from typing import ClassVar

import numpy as np
import pytest

from tinyslim import quant, train
from tinyslim.compress import Compressor, Strategy, register


@register
class Watch(Strategy):
    """Writes down model and optimizer at the beginning of each epoch, and the shapes of what was trained on."""

    seen: ClassVar[list] = []

    def on_epoch_begin(self, context):
        velocities = [buffers["velocity"].copy() for buffers in context.optimizer.buffers]
        self.seen.append((context.model, context.optimizer, velocities))


@register
class Swap(Strategy):
    """Puts the same model in the place of itself, and says nothing of it beforehand."""

    def on_epoch_begin(self, context):
        context.replace_model(context.model)


@pytest.fixture
def compress_with(trained, train_set, test_set, tmp_path):
    def run(strategies: dict, epochs: int, callbacks=(), lr=0.02):
        config = {"compressor": {"epochs": epochs, "batch_size": 32, "lr": lr}, "strategies": strategies}
        return Compressor(trained, train_set, test_set, config, tmp_path, callbacks=callbacks, quiet=True).run()

    return run


CUT = {"class": "UniformPruneStrategy", "target_ratio": 0.4, "start_epoch": 1, "recalibration_batches": 2}
QUANT = {"class": "QuantizationStrategy", "start_epoch": 2}


def test_the_optimizers_buffers_follow_each_cut_and_the_quantisers(compress_with):
    Watch.seen.clear()
    compress_with({"cut": CUT, "quant": QUANT, "watch": {"class": "Watch"}}, epochs=4)
    for epoch, (model, optimizer, velocities) in enumerate(Watch.seen):
        shapes = [parameter.shape for parameter in model.parameters()]
        assert [velocity.shape for velocity in velocities] == shapes
        assert all(a is b for a, b in zip(optimizer.parameters, model.parameters(), strict=True))
        # Momentum of weights that are gone means nothing; without a change it goes on.
        assert any(velocity.any() for velocity in velocities) == (epoch == 3)
    optimizers = [optimizer for _, optimizer, _ in Watch.seen]
    assert len(set(map(id, optimizers))) == 3 and optimizers[2] is optimizers[3]


def test_fake_quantisers_stand_on_the_network_that_a_cut_in_the_same_epoch_left(compress_with):
    Watch.seen.clear()
    result = compress_with({"cut": CUT, "quant": QUANT | {"start_epoch": 1}, "watch": {"class": "Watch"}}, epochs=2)
    whole, cut = (model.parameters()[0].shape[-1] for model, *_ in Watch.seen)
    assert cut < whole
    assert result.program.kind == "int8"
    assert all(
        module.memory[1] > 0 for module in result.model.modules() if isinstance(module, quant.ActivationQuantizer)
    )


def test_a_strategy_that_replaces_the_model_unannounced_is_refused(compress_with):
    with pytest.raises(
        ValueError, match=r"strategies\.swap replaced the model in epoch 0, but its `replacing` does not"
    ):
        compress_with({"swap": {"class": "Swap"}}, epochs=1)


def test_the_best_model_is_kept_beside_the_last(compress_with, test_set, tmp_path):
    result = compress_with({}, epochs=6, lr=0.3)
    scores = [entry["top1"] for entry in result.history]
    assert result.metrics["best"] == {"epoch": int(np.argmax(scores)) + 1, "top1": max(scores)}
    assert train.evaluate(train.load(tmp_path / "best.npz"), test_set)["top1"] == max(scores)
    assert train.evaluate(train.load(tmp_path / "model.npz"), test_set)["top1"] == scores[-1]


def test_what_was_best_before_a_cut_or_quantisation_is_not_the_best(compress_with, train_set, tmp_path):
    kept = []

    def on_epoch_end(context):
        best = train.load(context.folder / "best.npz")
        assert {name: array.shape for name, array in best.state_dict().items()} == {
            name: array.shape for name, array in context.model.state_dict().items()
        }
        kept.append(context.best["epoch"])

    result = compress_with({"cut": CUT, "quant": QUANT}, epochs=4, callbacks=[on_epoch_end], lr=1e-4)
    assert kept[:3] == [1, 2, 3] and result.metrics["best"]["epoch"] in (3, 4)
    assert json.loads((tmp_path / "metrics.json").read_text())["best"] == result.metrics["best"]
