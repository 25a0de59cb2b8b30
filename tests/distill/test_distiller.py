"""What a student's loss is made of, and that its teacher is asked and never taught."""

from __future__ import annotations

import numpy as np
import pytest

import tinyslim.functional as F
from tinyslim import Tensor, distill, nn, train
from tinyslim.data import Dataset
from tinyslim.distill.teacher import renormalized


def network(seed: int, classes: int = 3, channels: int = 1) -> nn.Module:
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3, seed=rng),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.GlobalAvgPool2d(),
        nn.Linear(4, classes, seed=rng),
    )


@pytest.fixture
def batch(rng):
    return rng.standard_normal((5, 6, 6, 1)).astype(np.float32), np.array([0, 1, 2, 1, 0])


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def test_the_loss_is_the_weighted_sum_of_labels_and_soft_labels(batch):
    student, teacher = network(0).eval(), network(1).eval()
    images, labels = batch
    loss, logits = distill.Distiller(
        teacher,
        [distill.SoftLabelDistiller(student_temperature=2.0, teacher_temperature=3.0)],
        weight=0.7,
        label_weight=0.4,
    )(student, images, labels)
    s, t = student(images).data.astype(np.float64), teacher(images).data.astype(np.float64)
    hard = -np.log(softmax(s)[np.arange(5), labels]).mean()
    soft = -(softmax(t / 3) * np.log(softmax(s / 2))).sum(axis=1).mean()
    assert float(loss) == pytest.approx(0.4 * hard + 0.7 * soft, rel=1e-5)
    assert np.array_equal(logits.data, student(images).data)


def test_a_student_of_one_batch_approaches_its_teacher(batch):
    from tinyslim import optim

    student, teacher = network(0), network(1).eval()
    loss = distill.Distiller(teacher, weight=1.0, label_weight=0.0)
    sgd = optim.SGD(student.parameters(), lr=0.5)
    gaps = []
    for _ in range(40):
        sgd.zero_grad()
        value, logits = loss(student, *batch)
        value.backward()
        sgd.step()
        gaps.append(np.abs(softmax(logits.data) - softmax(teacher(batch[0]).data)).max())
    assert gaps[-1] < gaps[0] / 3


def test_the_teacher_runs_in_eval_without_a_tape_and_stays_as_it_was(batch):
    student, teacher = network(0), network(1)
    before = {name: array.copy() for name, array in teacher.state_dict().items()}
    assert teacher.training
    loss, _ = distill.Distiller(teacher)(student, *batch)
    loss.backward()
    assert all(tensor.grad is None for tensor in teacher.parameters())
    assert all(tensor.grad is not None for tensor in student.parameters())
    assert all(np.array_equal(array, before[name]) for name, array in teacher.state_dict().items())
    assert teacher.training
    with_eval = distill.Distiller(teacher.eval())(student, *batch)[0]
    assert float(with_eval) == float(distill.Distiller(teacher.train())(student, *batch)[0])


def test_a_teacher_of_another_preprocessing_sees_the_images_as_it_was_trained_on_them(rng):
    images = rng.integers(0, 256, (4, 6, 6, 3), np.uint8)
    pixels = Dataset(images, np.array([0, 1, 2, 0]), ("a", "b", "c"))
    student, teacher = network(0, channels=3).eval(), network(1, channels=3).eval()
    student.preprocessing = ((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    teacher.preprocessing = ((0.4, 0.4, 0.4), (0.2, 0.3, 0.4))
    answer = (
        distill.Teacher(teacher)
        .answer(pixels.normalized(slice(None), student.preprocessing), student.preprocessing)
        .logits
    )
    expected = teacher(pixels.normalized(slice(None), teacher.preprocessing)).data
    wrong = teacher(pixels.normalized(slice(None), student.preprocessing)).data
    assert np.allclose(answer.data, expected, atol=1e-5)
    assert not np.allclose(wrong, expected, atol=1e-2)


def test_images_of_the_same_preprocessing_are_not_copied(batch):
    same = ((0.5,), (0.2,))
    assert renormalized(batch[0], same, ([0.5], [0.2])) is batch[0]
    assert renormalized(batch[0], None, same) is batch[0]


def test_other_channels_are_refused(batch):
    with pytest.raises(ValueError, match="the student takes images of 1 channels, the teacher of 3"):
        renormalized(batch[0], ((0.5,), (0.2,)), ((0.5,) * 3, (0.2,) * 3))


def test_other_classes_are_refused_with_both_shapes(batch):
    with pytest.raises(
        ValueError, match=r"student's logits of shape \(5, 3\) and the teacher's logits of shape \(5, 4\)"
    ):
        distill.Distiller(network(1, classes=4))(network(0), *batch)


def test_a_student_cannot_teach_itself(batch):
    model = network(0)
    with pytest.raises(ValueError, match="`teacher` is the student itself"):
        distill.Distiller(model)(model, *batch)


@pytest.mark.parametrize(
    ("name", "value"),
    [("weight", -0.1), ("label_weight", np.inf)],
)
def test_wrong_numbers_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=rf"`{name}` \(={value!r}\) must be a finite number"):
        distill.Distiller(network(0), **{name: value})


def test_a_teacher_must_be_a_module():
    with pytest.raises(TypeError, match=r"`teacher` \(='resnet20'\) must be a Module"):
        distill.Distiller("resnet20")


def test_two_teachers_add_up(batch):
    student, first, second = network(0).eval(), network(1), network(2)
    both = distill.Distiller(second, weight=0.5, base=distill.Distiller(first, weight=0.25))(student, *batch)[0]
    logits = student(batch[0])
    soft = [F.soft_cross_entropy(logits, Tensor(teacher.eval()(batch[0]).data)) for teacher in (first, second)]
    expected = F.cross_entropy(logits, batch[1]) + soft[0] * 0.25 + soft[1] * 0.5
    assert float(both) == pytest.approx(float(expected), rel=1e-6)


def test_it_is_a_loss_that_fit_takes(rng):
    images = rng.integers(0, 256, (12, 6, 6, 1), np.uint8)
    pixels = Dataset(images, np.arange(12) % 3, ("a", "b", "c"))
    history = train.fit(
        network(0), pixels, epochs=1, batch_size=4, lr=0.01, loss=distill.Distiller(network(1)), quiet=True
    )
    assert history[0]["train_loss"] > 0


TERMS = {
    "soft": distill.SoftLabelDistiller(student_temperature=2.0),
    "map": distill.L2Distiller("0", "0", distillation_loss_weight=0.3),
    "flow": distill.FSPDistiller([("0", "2")], [("0", "2")], distillation_loss_weight=2.0),
    "look": distill.AttentionDistiller("2", "1", distillation_loss_weight=5.0),
}


def test_terms_add_up_by_their_weights(batch):
    student, teacher = network(0).eval(), network(1)
    single = {
        name: float(distill.Distiller(teacher, [term], label_weight=0.0)(student, *batch)[0])
        for name, term in TERMS.items()
    }
    assert all(value > 1e-6 for value in single.values())
    labels = float(F.cross_entropy(student(batch[0]), batch[1]))
    loss, _ = distill.Distiller(teacher, list(TERMS.values()), weight=0.5, label_weight=0.25)(student, *batch)
    assert float(loss) == pytest.approx(0.25 * labels + 0.5 * sum(single.values()), rel=1e-5)


@pytest.mark.parametrize("name", TERMS)
def test_each_term_falls_when_the_student_follows_its_gradient(name, batch):
    from tinyslim import optim

    student, loss = network(0), distill.Distiller(network(1), [TERMS[name]], label_weight=0.0)
    sgd, losses = optim.SGD(student.parameters(), lr=0.02), []
    for _ in range(8):
        sgd.zero_grad()
        value, _ = loss(student, *batch)
        value.backward()
        sgd.step()
        losses.append(float(value))
    assert losses[-1] < losses[0]


def test_a_function_of_ones_own_sees_maps_logits_and_labels(batch):
    student, teacher = network(0).eval(), network(1).eval()

    def gap(student_maps, teacher_maps, student_logits, teacher_logits, labels):
        assert np.array_equal(labels, batch[1])
        assert np.array_equal(teacher_logits.data, teacher(batch[0]).data)
        return ((student_maps[0] - teacher_maps[0]) ** 2).mean() + student_logits.sum() * 0.0

    term = distill.FunctionDistiller(gap, ["0"], ["0"])
    value, _ = distill.Distiller(teacher, [term], label_weight=0.0)(student, *batch)
    same, _ = distill.Distiller(teacher, [distill.L2Distiller("0", "0")], label_weight=0.0)(student, *batch)
    assert float(value) == float(same)
    wrong = distill.FunctionDistiller(lambda *answers: 3.0)
    with pytest.raises(TypeError, match=r"returned 3\.0: it must be a Tensor of one number"):
        distill.Distiller(teacher, [wrong])(student, *batch)


def test_maps_of_other_shapes_are_refused_with_both_paths_and_shapes(batch):
    small, large = network(0), nn.Sequential(nn.Conv2d(1, 6, 3), nn.GlobalAvgPool2d(), nn.Linear(6, 3))
    for term, told in (
        (
            distill.L2Distiller("2", "0"),
            r"student's 2 of shape \(5, 4, 4, 4\) and .* 0 of shape \(5, 4, 4, 6\) .*`projection`",
        ),
        (
            distill.FSPDistiller([("0", "2")], [("0", "0")]),
            r"student's 0 and 2 have \(4, 4\) channels.*0 and 0 \(6, 6\)",
        ),
        (distill.FSPDistiller([("0", "3")], [("0", "0")]), r"student's 0 has shape \(5, 4, 4, 4\), its 3 \(5, 4\)"),
        (distill.AttentionDistiller("3", "0"), r"student's 3 has shape \(5, 4\), the teacher's 0 \(5, 4, 4, 6\)"),
        (distill.SoftLabelDistiller("3"), r"student's 3 of shape \(5, 4\) and the teacher's logits of shape \(5, 3\)"),
    ):
        with pytest.raises(ValueError, match=told):
            distill.Distiller(large, [term])(small, *batch)


def test_only_maps_are_projected(batch):
    term = distill.L2Distiller("3", "0", projection=True)
    with pytest.raises(
        ValueError, match=r"`projection` needs maps \(n, h, w, c\), but .* 3 has shape \(5, 4\), .* 0 \(5, 4, 4, 4\)"
    ):
        distill.Distiller(network(1), [term])(network(0), *batch)


def test_a_path_that_leads_nowhere_names_the_nearest(batch):
    with pytest.raises(ValueError, match="Sequential has no module at '7'"):
        distill.Distiller(network(1), [distill.L2Distiller("7", "0")])(network(0), *batch)


def test_a_projection_is_made_once_learns_and_begins_anew_for_other_widths(batch):
    student = network(0)
    teacher = nn.Sequential(nn.Conv2d(1, 6, 3, seed=1), nn.GlobalAvgPool2d(), nn.Linear(6, 3))
    told = []
    projections = distill.Projections(seed=3, on_new=lambda weights: told.append(list(weights)))
    terms = [
        distill.L2Distiller("2", "0", projection=True),
        distill.FSPDistiller([("0", "2")], [("0", "0")], projection=True),
    ]
    loss = distill.Distiller(teacher, terms, projections=projections)
    loss(student, *batch)[0].backward()
    assert [weight.shape for weight in loss.parameters()] == [(1, 1, 4, 6)] * 3
    assert all(np.abs(weight.grad).max() > 0 for weight in loss.parameters())
    first = loss.parameters()
    loss(student, *batch)
    assert loss.parameters() == first and len(told) == 3
    wider = nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU(), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(5, 3))
    loss(wider, *batch)
    assert [weight.shape for weight in loss.parameters()] == [(1, 1, 5, 6)] * 3
    again = distill.Projections(seed=3)
    distill.Distiller(teacher, terms[1:], projections=again)(student, *batch)
    assert all(
        np.array_equal(again.weights[name].data, w.data) for name, w in zip(told[-1][1:], first[1:], strict=False)
    )


def test_a_teacher_that_remembers_answers_the_same_bits_and_is_asked_once(rng):
    teacher = network(1)
    images = rng.standard_normal((48, 6, 6, 1)).astype(np.float32)
    fresh = distill.Teacher(teacher)
    remembering = distill.RememberingTeacher(teacher)
    asked = []
    with nn.listening(lambda place, result: asked.append(len(result.data)) if place is teacher else None):
        for size in (16, 5, 48):
            for start in range(0, 48, size):
                answer = remembering.answer(images[start : start + size])
                expected = fresh.answer(images[start : start + size])
                assert np.array_equal(answer.logits.data, expected.logits.data)
                asked.pop()  # the fresh one's
        reordered = rng.permutation(48)
        assert np.array_equal(
            remembering.answer(images[reordered]).logits.data, fresh.answer(images).logits.data[reordered]
        )
    assert asked[:3] == [16, 16, 16] and len(asked) == 4  # the last is the fresh one's again
    with pytest.raises(ValueError, match="gives logits alone, but terms need its maps 0"):
        distill.Distiller(remembering, [distill.L2Distiller("0", "0")])


def test_other_images_and_another_preprocessing_are_not_taken_for_known_ones(batch):
    teacher = network(1)
    teacher.preprocessing = ((0.2,), (0.4,))
    remembering = distill.RememberingTeacher(teacher)
    for images, made_with in ((batch[0], None), (batch[0] + 1, None), (batch[0], ((0.1,), (0.3,)))):
        expected = distill.Teacher(teacher).answer(images, made_with).logits.data
        assert np.array_equal(remembering.answer(images, made_with).logits.data, expected)
    assert len(remembering.known) == 15


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: distill.SoftLabelDistiller(student_temperature=0.0), r"`student_temperature` \(=0.0\)"),
        (lambda: distill.SoftLabelDistiller(teacher_temperature=np.nan), r"`teacher_temperature` \(=nan\)"),
        (lambda: distill.HintonDistiller(alpha=1.5), r"`alpha` \(=1.5\) must be .* from 0 to 1"),
        (lambda: distill.L2Distiller("a", "b", distillation_loss_weight=-1), r"`distillation_loss_weight` \(=-1\)"),
        (lambda: distill.L2Distiller("a", 3), "L2Distiller names a feature map 3"),
        (lambda: distill.FSPDistiller([("a", "b")], []), r"`teacher_pairs` \(=\[\]\)"),
        (lambda: distill.FSPDistiller(["ab"], ["ab"]), r"`student_pairs` \(=\['ab'\]\)"),
        (lambda: distill.FSPDistiller([("a", "b")] * 2, [("a", "b")]), "2 pairs, `teacher_pairs` 1"),
        (
            lambda: distill.FSPDistiller([("a", "b")] * 2, [("a", "b"), ("c", "b")], projection=True),
            "projects one map to two",
        ),
        (lambda: distill.FunctionDistiller(3), r"`function` \(=3\)"),
        (lambda: distill.FunctionDistiller(len, "ab"), r"`student_feature_maps` \(='ab'\)"),
        (lambda: distill.Distiller(network(0), ["L2"]), "`terms` holds 'L2'"),
    ],
)
def test_wrong_terms_are_refused(make, told):
    with pytest.raises((ValueError, TypeError), match=told):
        make()


def test_fit_refuses_a_loss_with_projections_that_it_would_not_train(rng):
    pixels = Dataset(rng.integers(0, 256, (4, 6, 6, 1), np.uint8), np.arange(4) % 3, ("a", "b", "c"))
    loss = distill.Distiller(network(1), [distill.L2Distiller("0", "0", projection=True)])
    with pytest.raises(ValueError, match="`loss` learns projections"):
        train.fit(network(0), pixels, epochs=1, loss=loss, quiet=True)
