"""Each loss is its formula, and its gradient is its slope."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinyslim.functional as F
from tinyslim import Tensor, distill
from tinyslim.autograd import gradcheck
from tinyslim.autograd.gradient_check import GradientMismatchError

SIZES = st.integers(1, 4)


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def tensors(*arrays: np.ndarray) -> list[Tensor]:
    return [Tensor(array) for array in arrays]


@settings(max_examples=20, deadline=None)
@given(n=SIZES, classes=SIZES, s=st.floats(0.5, 8), t=st.floats(0.5, 8), scaled=st.booleans())
def test_soft_label_is_its_formula(n, classes, s, t, scaled):
    student, teacher = numbers(n, classes), numbers(n, classes, seed=1)
    expected = -(softmax(teacher / t) * np.log(softmax(student / s))).sum(axis=1).mean() * (s * t if scaled else 1)
    got = distill.soft_label_loss(*tensors(student, teacher), s, t, scaled)
    assert float(got) == pytest.approx(expected, rel=1e-9)
    gradcheck(lambda x: distill.soft_label_loss(x, Tensor(teacher), s, t, scaled), student)


@settings(max_examples=10, deadline=None)
@given(n=SIZES, classes=SIZES, temperature=st.floats(0.5, 8), alpha=st.floats(0, 1))
def test_hinton_is_its_formula(n, classes, temperature, alpha):
    student, teacher, labels = numbers(n, classes), numbers(n, classes, seed=1), np.arange(n) % classes
    soft = -(softmax(teacher / temperature) * np.log(softmax(student / temperature))).sum(axis=1).mean()
    hard = -np.log(softmax(student)[np.arange(n), labels]).mean()
    got = distill.hinton_loss(*tensors(student, teacher), labels, temperature, alpha)
    assert float(got) == pytest.approx(alpha * temperature**2 * soft + (1 - alpha) * hard, rel=1e-9)
    gradcheck(lambda x: distill.hinton_loss(x, Tensor(teacher), labels, temperature, alpha), student)


@settings(max_examples=10, deadline=None)
@given(shape=st.lists(SIZES, min_size=1, max_size=4))
def test_l2_is_its_formula(shape):
    student, teacher = numbers(*shape), numbers(*shape, seed=1)
    got = distill.l2_loss(*tensors(student, teacher))
    assert float(got) == pytest.approx(((student - teacher) ** 2).mean(), rel=1e-9)
    gradcheck(lambda x: distill.l2_loss(x, Tensor(teacher)), student)


@settings(max_examples=10, deadline=None)
@given(n=SIZES, h=SIZES, w=SIZES, other=SIZES, c1=SIZES, c2=SIZES)
def test_fsp_is_its_formula_for_maps_of_any_two_sizes(n, h, w, other, c1, c2):
    def flow(a, b):
        return np.einsum("nyxc,nyxd->ncd", a, b) / (a.shape[1] * a.shape[2])

    student = numbers(n, h, w, c1), numbers(n, h, w, c2, seed=1)
    teacher = numbers(n, other, other, c1, seed=2), numbers(n, other, other, c2, seed=3)
    got = distill.fsp_loss(tuple(tensors(*student)), tuple(tensors(*teacher)))
    assert float(got) == pytest.approx(((flow(*student) - flow(*teacher)) ** 2).mean(), rel=1e-9)
    gradcheck(lambda a, b: distill.fsp_loss((a, b), tuple(tensors(*teacher))), *student)


@settings(max_examples=10, deadline=None)
@given(n=SIZES, h=SIZES, w=SIZES, c1=SIZES, c2=SIZES)
def test_attention_is_its_formula_for_any_numbers_of_channels(n, h, w, c1, c2):
    def look(a):
        q = (a**2).sum(axis=3).reshape(n, -1)
        return q / np.linalg.norm(q, axis=1, keepdims=True)

    student, teacher = numbers(n, h, w, c1) + 0.1, numbers(n, h, w, c2, seed=1)
    got = distill.attention_loss(*tensors(student, teacher))
    assert float(got) == pytest.approx(((look(student) - look(teacher)) ** 2).mean(), rel=1e-6, abs=1e-9)
    gradcheck(lambda x: distill.attention_loss(x, Tensor(teacher)), student, atol=1e-6)


def test_attention_of_a_dead_map_is_finite_and_has_no_gradient():
    dead = Tensor(np.zeros((2, 3, 3, 4), np.float32), requires_grad=True)
    loss = distill.attention_loss(dead, Tensor(numbers(2, 3, 3, 2).astype(np.float32)))
    loss.backward()
    assert np.isfinite(float(loss)) and not dead.grad.any()


def test_a_student_that_is_its_teacher_has_no_loss_but_the_entropy():
    maps, logits = tensors(numbers(2, 3, 3, 4), numbers(2, 5))
    assert float(distill.l2_loss(maps, maps)) == float(distill.attention_loss(maps, maps)) == 0
    assert float(distill.fsp_loss((maps, maps), (maps, maps))) == 0
    entropy = -(softmax(logits.data) * np.log(softmax(logits.data))).sum(axis=1).mean()
    assert float(distill.soft_label_loss(logits, logits)) == pytest.approx(entropy)


def test_the_gradient_check_sees_a_teacher_on_the_tape():
    """A planted fault: the target moves with the student, and its gradient is left out."""
    teacher = numbers(3, 4, seed=1)

    def wrong(x):
        return F.soft_cross_entropy(x, x.detach() + Tensor(teacher))

    with pytest.raises(GradientMismatchError):
        gradcheck(wrong, numbers(3, 4))
