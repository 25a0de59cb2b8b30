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
    loss, logits = distill.SoftLabel(teacher, 2.0, 3.0, weight=0.7, label_weight=0.4)(student, images, labels)
    s, t = student(images).data.astype(np.float64), teacher(images).data.astype(np.float64)
    hard = -np.log(softmax(s)[np.arange(5), labels]).mean()
    soft = -(softmax(t / 3) * np.log(softmax(s / 2))).sum(axis=1).mean()
    assert float(loss) == pytest.approx(0.4 * hard + 0.7 * soft, rel=1e-5)
    assert np.array_equal(logits.data, student(images).data)


def test_a_student_of_one_batch_approaches_its_teacher(batch):
    from tinyslim import optim

    student, teacher = network(0), network(1).eval()
    loss = distill.SoftLabel(teacher, weight=1.0, label_weight=0.0)
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
    loss, _ = distill.SoftLabel(teacher)(student, *batch)
    loss.backward()
    assert all(tensor.grad is None for tensor in teacher.parameters())
    assert all(tensor.grad is not None for tensor in student.parameters())
    assert all(np.array_equal(array, before[name]) for name, array in teacher.state_dict().items())
    assert teacher.training
    with_eval = distill.SoftLabel(teacher.eval())(student, *batch)[0]
    assert float(with_eval) == float(distill.SoftLabel(teacher.train())(student, *batch)[0])


def test_a_teacher_of_another_preprocessing_sees_the_images_as_it_was_trained_on_them(rng):
    images = rng.integers(0, 256, (4, 6, 6, 3), np.uint8)
    pixels = Dataset(images, np.array([0, 1, 2, 0]), ("a", "b", "c"))
    student, teacher = network(0, channels=3).eval(), network(1, channels=3).eval()
    student.preprocessing = ((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    teacher.preprocessing = ((0.4, 0.4, 0.4), (0.2, 0.3, 0.4))
    answer = distill.Teacher(teacher).logits(
        pixels.normalized(slice(None), student.preprocessing), student.preprocessing
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
    with pytest.raises(ValueError, match=r"student's logits have shape \(5, 3\), the teacher's \(5, 4\)"):
        distill.SoftLabel(network(1, classes=4))(network(0), *batch)


def test_a_student_cannot_teach_itself(batch):
    model = network(0)
    with pytest.raises(ValueError, match="`teacher` is the student itself"):
        distill.SoftLabel(model)(model, *batch)


@pytest.mark.parametrize(
    ("name", "value"),
    [("student_temperature", 0.0), ("teacher_temperature", -1.0), ("teacher_temperature", np.nan),
     ("weight", -0.1), ("label_weight", np.inf)],
)  # fmt: skip
def test_wrong_numbers_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=rf"`{name}` \(={value!r}\) must be a finite number"):
        distill.SoftLabel(network(0), **{name: value})


def test_a_teacher_must_be_a_module():
    with pytest.raises(TypeError, match=r"`teacher` \(='resnet20'\) must be a Module"):
        distill.SoftLabel("resnet20")


def test_two_teachers_add_up(batch):
    student, first, second = network(0).eval(), network(1), network(2)
    both = distill.SoftLabel(second, weight=0.5, base=distill.SoftLabel(first, weight=0.25))(student, *batch)[0]
    logits = student(batch[0])
    soft = [F.soft_cross_entropy(logits, Tensor(teacher.eval()(batch[0]).data)) for teacher in (first, second)]
    expected = F.cross_entropy(logits, batch[1]) + soft[0] * 0.25 + soft[1] * 0.5
    assert float(both) == pytest.approx(float(expected), rel=1e-6)


def test_it_is_a_loss_that_fit_takes(rng):
    images = rng.integers(0, 256, (12, 6, 6, 1), np.uint8)
    pixels = Dataset(images, np.arange(12) % 3, ("a", "b", "c"))
    history = train.fit(
        network(0), pixels, epochs=1, batch_size=4, lr=0.01, loss=distill.SoftLabel(network(1)), quiet=True
    )
    assert history[0]["train_loss"] > 0
