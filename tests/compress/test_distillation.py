"""Distillation in a Compressor: terms from a config, teachers by name and by file, projections that are left behind."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tinyslim import compress, distill, models, nn, train
from tinyslim.compress import Compressor, Strategy, register
from tinyslim.data import Dataset

MAPS = {"student_feature_map": "2", "teacher_feature_map": "2"}


@register
class Watcher(Strategy):
    """Notes what a run is made of, and presses Ctrl-C once where it is told to."""

    deeds = staticmethod(lambda context: None)

    def on_batch_end(self, context):
        type(self).deeds(context)


@pytest.fixture(autouse=True)
def nobody_watches():
    yield
    Watcher.deeds = staticmethod(lambda context: None)


def config(distil: dict, epochs: int = 3, **others) -> dict:
    return {
        "compressor": {"epochs": epochs, "batch_size": 32, "lr": 0.02},
        "strategies": {"distil": {"class": "DistillationStrategy", **distil}, **others, "watch": {"class": "Watcher"}},
    }


def wide_teacher() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1, seed=7), nn.BatchNorm2d(12), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(12, 3)
    )


@pytest.fixture
def run(trained, train_set, test_set, tmp_path):
    def run(config, out="run", **more):
        return Compressor(trained, train_set, test_set, config, out=tmp_path / out, quiet=True, **more).run()

    return run


EVERY_TERM = [
    {"class": "SoftLabelDistiller", "student_temperature": 2.0, "teacher_temperature": 2.0},
    {"class": "L2Distiller", **MAPS, "projection": True},
    {"class": "FSPDistiller", "student_pairs": [["0", "2"]], "teacher_pairs": [["0", "2"]], "projection": True},
    {"class": "AttentionDistiller", **MAPS, "distillation_loss_weight": 10.0},
]


def test_a_run_with_projections_pruning_and_rounding_resumes_to_the_same_bytes(run, tmp_path):
    teacher = wide_teacher()
    plan = config(
        {"terms": EVERY_TERM, "teacher": "self"},
        prune={"class": "UniformPruneStrategy", "start_epoch": 1, "target_ratio": 0.4, "recalibration_batches": 1},
        quant={"class": "QuantizationStrategy", "start_epoch": 2},
    )
    shapes, learned = [], []

    def note(context):
        tensors = context.beside["distil"].values()
        shapes.append([tensor.shape for tensor in tensors])
        learned.append([tensor.data.copy() for tensor in tensors])

    Watcher.deeds = staticmethod(note)
    whole = run(plan, "whole", teacher=teacher)
    assert shapes[0] == [(1, 1, 8, 12)] * 3
    assert shapes[3] == shapes[-1] != shapes[0]
    assert all((a != b).any() for a, b in zip(learned[0], learned[2], strict=True))

    def stop(context):
        if (context.epoch, context.batch.index) == stop.where:
            stop.where = None
            raise KeyboardInterrupt

    Watcher.deeds = staticmethod(stop)
    for where in ((1, 1), (2, 0)):
        stop.where = where
        with pytest.raises(KeyboardInterrupt):
            run(plan, "broken", teacher=teacher, resume=where != (1, 1))
    broken = run(plan, "broken", teacher=teacher, resume=True)
    for name in ("model.npz", "program.npz"):
        assert (whole.out / name).read_bytes() == (broken.out / name).read_bytes()


def test_projections_are_no_part_of_the_model_and_their_buffers_are_kept(run, trained):
    plan = config({"terms": EVERY_TERM[1:2], "teacher": "self", "start_epoch": 1, "end_epoch": 2})
    counts, velocities = [], []

    def note(context):
        counts.append(len(context.optimizer.parameters))
        velocities.append(np.abs(context.optimizer.buffers[0]["velocity"]).max())

    Watcher.deeds = staticmethod(note)
    result = run(plan, teacher=wide_teacher())
    own = len(trained.parameters())
    assert counts == [own] * 3 + [own + 1] * 6
    assert all(velocity > 0 for velocity in velocities)
    assert len(train.load(result.out / "model.npz").parameters()) == own


def test_a_teacher_comes_from_a_file_and_another_one_cannot_take_its_place(run, tmp_path, train_set):
    example = train_set.normalized(slice(0, 1))
    train.save(wide_teacher(), tmp_path / "teacher.npz", example)
    plan = config({"teacher": str(tmp_path / "teacher.npz")}, epochs=2)
    by_path, by_hand = run(plan, "a"), run(plan, "b", teacher=train.load(tmp_path / "teacher.npz"))
    assert (by_path.out / "model.npz").read_bytes() == (by_hand.out / "model.npz").read_bytes()

    def stop(context):
        if context.epoch == 1:
            raise KeyboardInterrupt

    Watcher.deeds = staticmethod(stop)
    with pytest.raises(KeyboardInterrupt):
        run(plan, "c")
    train.save(nn.Sequential(nn.GlobalAvgPool2d(), nn.Linear(1, 3)), tmp_path / "teacher.npz", example)
    with pytest.raises(ValueError, match=r"strategies\.distil: the teacher was \w+ when the run began, now it is"):
        run(plan, "c", resume=True)


def test_cached_logits_give_the_same_bytes_and_ask_once(run, train_set):
    teacher = wide_teacher()
    asked = []
    with nn.listening(lambda place, result: asked.append(len(result.data)) if place is teacher else None):
        plain = run(config({}), "plain", teacher=teacher)
        often = sum(asked)
        cached = run(config({"cache_logits": True}), "cached", teacher=teacher)
    assert (plain.out / "model.npz").read_bytes() == (cached.out / "model.npz").read_bytes()
    assert often - (sum(asked) - often) == 2 * len(train_set)


def test_a_cache_that_cannot_work_is_refused_before_any_work(run, tmp_path):
    plan = config({"cache_logits": True, "teacher": "self"})
    plan["compressor"]["augment"] = "shift_flip"
    with pytest.raises(ValueError, match=r"strategies\.distil: `cache_logits` needs compressor\.augment = 'none'"):
        run(plan)
    with pytest.raises(ValueError, match=r"`cache_logits` keeps logits alone, but terms need the teacher's 2$"):
        run(config({"cache_logits": True, "teacher": "self", "terms": EVERY_TERM[1:2]}))
    assert not list(tmp_path.iterdir())


def test_wrong_maps_are_told_before_any_work(run, tmp_path):
    wrong = {"class": "L2Distiller", "student_feature_map": "2", "teacher_feature_map": "9"}
    with pytest.raises(ValueError, match=r"strategies\.distil: Sequential has no module at '9'"):
        run(config({"terms": [wrong]}), teacher=wide_teacher())
    with pytest.raises(
        ValueError, match=r"student's 2 of shape \(1, 8, 8, 8\) and the teacher's 2 of shape \(1, 8, 8, 12\)"
    ):
        run(config({"terms": [{"class": "L2Distiller", **MAPS}]}), teacher=wide_teacher())
    assert not list(tmp_path.iterdir())


def test_the_short_form_is_one_term_of_soft_labels(run):
    short = run(config({"teacher": "self", "student_temperature": 3.0, "teacher_temperature": 2.0}), "short")
    term = {"class": "SoftLabelDistiller", "student_temperature": 3.0, "teacher_temperature": 2.0}
    long = run(config({"teacher": "self", "terms": [term]}), "long")
    assert (short.out / "model.npz").read_bytes() == (long.out / "model.npz").read_bytes()


def test_terms_and_functions_are_taken_from_python_and_named_in_the_files(run):
    def gap(student_maps, teacher_maps, student_logits, teacher_logits, labels):
        return distill.l2_loss(student_logits, teacher_logits)

    terms = [distill.AttentionDistiller("2", "2"), {"class": "FunctionDistiller", "function": gap}]
    result = run(config({"teacher": "self", "terms": terms}, epochs=1))
    written = json.loads((result.out / "config.json").read_text())["strategies"]["distil"]["terms"]
    assert written[0] == {
        "class": "AttentionDistiller", "distillation_loss_weight": 1.0,
        "student_feature_map": "2", "teacher_feature_map": "2",
    }  # fmt: skip
    assert written[1]["function"].endswith("gap")


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ({"terms": [{"class": "L2Distiler"}]}, "terms.0.class (='L2Distiler') is unknown; did you mean L2Distiller?"),
        ({"terms": [{"student_temperature": 2.0}]}, "terms.0.class (=None) is missing; there are SoftLabelDistiller"),
        ({"terms": [EVERY_TERM[0], {"class": "L2Distiller", **MAPS, "weigt": 1}]}, "terms.1.weigt (=1) is unknown"),
        ({"terms": [{"class": "L2Distiller", "student_feature_map": "a"}]}, "terms.0.teacher_feature_map is missing"),
        ({"terms": [3]}, "terms.0 (=3) must be a table with a `class`"),
        ({"terms": [{"class": "HintonDistiller", "alpha": 2}]}, "`alpha` (=2) must be a finite number from 0 to 1"),
        (
            {"terms": EVERY_TERM, "student_temperature": 2.0},
            "student_temperature (=2.0) belongs",
        ),
        ({"teacher": "resnet"}, "teacher (='resnet') must be resnet20, self or a path to a model.npz; did you mean"),
        ({"teacher": "none.npz"}, "teacher (='none.npz') must be a path to a model.npz: there is no such file"),
    ],
)
def test_each_mistake_in_a_config_has_its_line(table, line):
    with pytest.raises(compress.ConfigError) as caught:
        compress.read_config(config(table))
    assert any(f"strategies.distil.{line}" in told or line in told for told in caught.value.problems)
    assert len(caught.value.problems) == 1


def test_a_resnet50_teaches_a_mobilenet(tmp_path):
    rng = np.random.default_rng(0)
    pixels = Dataset(rng.integers(0, 256, (8, 32, 32, 3), np.uint8), np.arange(8) % 4, tuple("abcd"))
    teacher = models.resnet50(num_classes=4, stem_stride=1)
    student = models.mobilenet_v1(num_classes=4, width=0.25, stem_stride=1)
    before = {name: array.copy() for name, array in teacher.state_dict().items()}
    terms = [
        {"class": "SoftLabelDistiller"},
        {"class": "L2Distiller", "projection": True, "distillation_loss_weight": 0.1,
         "student_feature_map": "blocks.10", "teacher_feature_map": "blocks.15"},
        {"class": "FSPDistiller", "projection": True, "distillation_loss_weight": 0.1,
         "student_pairs": [["blocks.1", "blocks.2"]], "teacher_pairs": [["blocks.3", "blocks.6"]]},
    ]  # fmt: skip
    plan = {
        "compressor": {"epochs": 2, "batch_size": 4, "lr": 0.01, "eval_epoch": 0},
        "strategies": {"distil": {"class": "DistillationStrategy", "terms": terms}},
    }
    result = Compressor(student, pixels, pixels, plan, out=tmp_path / "run", teacher=teacher, quiet=True).run()
    assert np.isfinite(result.history[-1]["train_loss"])
    assert all(np.array_equal(array, before[name]) for name, array in teacher.state_dict().items())
    assert {module for module, _ in result.model.named_modules()}.isdisjoint({"projection", "beside"})
