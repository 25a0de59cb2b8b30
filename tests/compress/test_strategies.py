"""Hooks, registration, and what each built-in strategy does to the model."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest

from tinyslim import compress, graph, nn, quant
from tinyslim.compress import Compressor, Strategy, register
from tinyslim.compress.rates import schedule

HOOKS = ("compression_begin", "epoch_begin", "batch_begin", "batch_end", "epoch_end", "compression_end")


@register
class Diary(Strategy):
    """Writes down which hook was called when."""

    lines: ClassVar[list[str]] = []

    def on_compression_begin(self, context):
        self.lines.append(f"{self.name} compression_begin")

    def on_epoch_begin(self, context):
        self.lines.append(f"{self.name} epoch_begin {context.epoch}")

    def on_batch_begin(self, context):
        seen = -1 if context.batch is None or context.batch.epoch < context.epoch else context.batch.index
        self.lines.append(f"{self.name} batch_begin {context.epoch} {seen + 1}")

    def on_batch_end(self, context):
        assert np.isfinite(context.batch.loss)
        self.lines.append(f"{self.name} batch_end {context.epoch} {context.batch.index}")

    def on_epoch_end(self, context):
        assert len(context.history) == context.epoch + 1
        self.lines.append(f"{self.name} epoch_end {context.epoch}")

    def on_compression_end(self, context):
        self.lines.append(f"{self.name} compression_end")


@register
class Meddler(Strategy):
    """Does at one hook what it is told to."""

    deed: ClassVar[object] = None

    def on_batch_end(self, context):
        type(self).deed(context)


def run(model, train_set, test_set, config, out, **more):
    return Compressor(model, train_set, test_set, config, out=out, quiet=True, **more).run()


def test_hooks_come_in_paddle_slims_order_and_in_the_order_of_the_config(trained, train_set, test_set, tmp_path):
    Diary.lines.clear()
    tables = {"a": {"class": "Diary"}, "b": {"class": "Diary"}}
    run(trained, train_set, test_set, {"compressor": {"epochs": 2, "batch_size": 48}, "strategies": tables}, tmp_path)
    expected = ["compression_begin"]
    for epoch in (0, 1):
        batches = [f"{hook} {epoch}{i}" for i in (" 0", " 1") for hook in ("batch_begin", "batch_end")]
        expected += [f"epoch_begin {epoch}", *batches, f"epoch_end {epoch}"]
    expected.append("compression_end")
    assert Diary.lines == [f"{name} {line}" for line in expected for name in "ab"]


def test_every_hook_of_paddle_slim_exists():
    assert all(callable(getattr(Strategy, f"on_{hook}")) for hook in HOOKS)


def test_a_strategy_is_frozen(everything):
    strategy = compress.read_config(everything).strategies[0]
    with pytest.raises(ValueError, match="frozen"):
        strategy.target_ratio = 0.9


def test_a_name_that_is_taken_by_another_module_is_refused():
    class QuantizationStrategy(Strategy):
        pass

    with pytest.raises(ValueError, match=r"`strategy` \(=QuantizationStrategy\) is the name of a class in tinyslim"):
        register(QuantizationStrategy)
    with pytest.raises(TypeError, match="must be a subclass of Strategy"):
        register(int)


def test_the_model_cannot_be_replaced_between_two_batches(trained, train_set, test_set, tmp_path):
    Meddler.deed = staticmethod(lambda context: context.replace_model(context.model))
    config = {"compressor": {"epochs": 1}, "strategies": {"m": {"class": "Meddler"}}}
    with pytest.raises(ValueError, match=r"strategies\.m: the model can be replaced before or after the batches"):
        run(trained, train_set, test_set, config, tmp_path)


def test_state_that_no_file_can_hold_is_refused(trained, train_set, test_set, tmp_path):
    Meddler.deed = staticmethod(lambda context: context.state["m"].update(model={1, 2}))
    config = {"compressor": {"epochs": 1}, "strategies": {"m": {"class": "Meddler"}}}
    with pytest.raises(TypeError, match=r"`context.state\['m'\]\['model'\]` \(=\{1, 2\}\) can't be saved"):
        run(trained, train_set, test_set, config, tmp_path)


def test_uniform_prune_removes_the_share_asked_for_and_tells_it(trained, train_set, test_set, tmp_path):
    tables = {"prune": {"class": "UniformPruneStrategy", "target_ratio": 0.4}}
    result = run(trained, train_set, test_set, {"compressor": {"epochs": 1}, "strategies": tables}, tmp_path)
    example = train_set.normalized(slice(0, 1))
    removed = 1 - graph.summary(result.model, example).flops / graph.summary(trained, example).flops
    assert 0.4 <= removed < 0.6
    told = result.metrics["strategies"]["prune"]
    assert (told["requested"], told["achieved"]) == (0.4, pytest.approx(removed))
    assert result.metrics["flops_reduction"] == pytest.approx(removed)
    assert result.program.kind == "float32"


def test_a_cut_spread_over_epochs_ends_where_one_cut_would(trained, train_set, test_set, tmp_path):
    removed = []
    Meddler.deed = staticmethod(lambda context: removed.append(context.state["prune"]["requested"]))
    tables = {
        "prune": {"class": "UniformPruneStrategy", "target_ratio": 0.75, "end_epoch": 2},
        "m": {"class": "Meddler"},
    }
    config = {"compressor": {"epochs": 3, "batch_size": 96}, "strategies": tables}
    run(trained, train_set, test_set, config, tmp_path)
    assert removed == pytest.approx([0.5, 0.75, 0.75])


def test_ranges_stand_still_from_the_end_epoch_of_quantisation_on(trained, train_set, test_set, tmp_path):
    memories = []
    Meddler.deed = staticmethod(
        lambda context: memories.append(
            [m.memory.copy() for m in context.model.modules() if isinstance(m, quant.ActivationQuantizer)]
        )
    )
    tables = {"quant": {"class": "QuantizationStrategy", "end_epoch": 2}, "m": {"class": "Meddler"}}
    config = {"compressor": {"epochs": 3, "batch_size": 96}, "strategies": tables}
    run(trained, train_set, test_set, config, tmp_path)
    first, second, third = memories
    assert all((a != b).any() for a, b in zip(first, second, strict=True))
    assert all((a == b).all() for a, b in zip(second, third, strict=True))


@pytest.mark.parametrize(("share", "frozen"), [(0.0, 0), (0.5, 3), (0.8, 5), (1.0, 6)])
def test_batch_norm_stands_still_for_the_last_share_of_quantisations_steps(
    share, frozen, trained, train_set, test_set, tmp_path
):
    norms, gammas = [], []

    class NormWatcher(compress.Strategy):
        def on_batch_end(self, context):
            if context.epoch >= 1:
                layers = [m for m in context.model.modules() if isinstance(m, nn.BatchNorm2d)]
                norms.append(np.concatenate([m.running_var for m in layers]))
                gammas.append(np.concatenate([m.weight.data for m in layers]))

    compress.register(NormWatcher)
    batch_size = -(-len(train_set) // 3)
    tables = {
        "quant": {"class": "QuantizationStrategy", "start_epoch": 1, "freeze_batch_norm": share},
        "watch": {"class": "NormWatcher"},
    }
    config = {"compressor": {"epochs": 3, "batch_size": batch_size}, "strategies": tables}
    run(trained, train_set, test_set, config, tmp_path)
    still = [bool((a == b).all()) for a, b in pairwise(norms)]
    assert len(norms) == 6
    assert still == [False] * (5 - min(frozen, 5)) + [True] * min(frozen, 5)
    assert all((a != b).any() for a, b in pairwise(gammas))


@pytest.mark.parametrize("weight_quantize_type", quant.WEIGHT_TYPES)
def test_a_recipe_may_name_every_type(weight_quantize_type):
    for activation_quantize_type in quant.ACTIVATION_TYPES:
        table = {
            "class": "QuantizationStrategy",
            "weight_quantize_type": weight_quantize_type,
            "activation_quantize_type": activation_quantize_type,
        }
        assert compress.read_config({"compressor": {"epochs": 1}, "strategies": {"q": table}})


def test_an_unknown_type_is_refused_with_the_names_that_there_are():
    table = {"class": "QuantizationStrategy", "activation_quantize_type": "lsqq"}
    with pytest.raises(ValueError, match=r"activation_quantize_type.*range_abs_max.*lsq"):
        compress.read_config({"compressor": {"epochs": 1}, "strategies": {"q": table}})


def test_distillation_changes_the_loss_in_its_epochs_alone(trained, train_set, test_set, tmp_path):
    kinds = []
    Meddler.deed = staticmethod(lambda context: kinds.append(type(context.loss).__name__))
    tables = {
        "distil": {"class": "DistillationStrategy", "teacher": "self", "start_epoch": 1, "end_epoch": 2},
        "m": {"class": "Meddler"},
    }
    config = {"compressor": {"epochs": 3, "batch_size": 96}, "strategies": tables}
    run(trained, train_set, test_set, config, tmp_path)
    assert kinds == ["function", "Distiller", "function"]


def test_a_teacher_that_is_handed_over_is_the_one_that_teaches(trained, untrained, train_set, test_set, tmp_path):
    teachers = []
    Meddler.deed = staticmethod(lambda context: teachers.append(context.loss.teacher))
    tables = {"distil": {"class": "DistillationStrategy"}, "m": {"class": "Meddler"}}
    config = {"compressor": {"epochs": 1, "batch_size": 96}, "strategies": tables}
    run(trained, train_set, test_set, config, tmp_path, teacher=untrained)
    assert teachers == [untrained]


def test_each_strategy_finds_its_mistakes_before_the_first_epoch(trained, train_set, test_set, tmp_path):
    tables = {"late": {"class": "UniformPruneStrategy", "start_epoch": 1, "pruned_params": "nothing*"}}
    config = {"compressor": {"epochs": 2}, "strategies": tables}
    with pytest.raises(ValueError, match=r"strategies\.late: `pruned_params` \(='nothing\*'\) matches none"):
        run(trained, train_set, test_set, config, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_strategys_own_rate_begins_a_new_schedule():
    config = compress.read_config(
        {
            "compressor": {"epochs": 4, "lr": 1.0, "schedule": "cosine"},
            "strategies": {"quant": {"class": "QuantizationStrategy", "start_epoch": 2, "lr": 0.1}},
        }
    )
    rate = schedule(config, steps=10)
    assert rate(0) == 1.0 and rate(19) < 0.01
    assert rate(20) == 0.1 and rate(30) == pytest.approx(0.05) and rate(39) < 0.001
