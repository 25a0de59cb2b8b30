"""The graph of an expression says what backward says, and leaves the tape as it was."""

from __future__ import annotations

import pytest

from tinyslim import Tensor, report


def texts(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_boxes_hold_values_and_gradients_and_arrows_their_shares():
    a = Tensor(1.0, requires_grad=True)
    b = a + a
    c = b + b
    drawn = texts(report.expression_figure(c, {"a": a, "b": b}))
    assert {"a\nvalue 1\ngradient 4", "b = add\nvalue 2\ngradient 2", "add\nvalue 4\ngradient 1"} <= set(drawn)
    assert sorted(text for text in drawn if text in ("1", "2")) == ["1", "1", "2", "2"]
    c.backward()
    assert a.grad == 4


def test_constants_have_no_gradient():
    a = Tensor(2.0, requires_grad=True)
    result = a * 3.0
    assert "constant\nvalue 3" in texts(report.expression_figure(result))
    assert report.describe_expression(result, {"a": a}).endswith("multiply of a, 3: value 6, gradient 1.")


def test_a_used_tape_and_many_numbers_are_refused():
    a = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ValueError, match="one number"):
        report.expression_figure(a * a)
    result = (a * a).sum()
    result.backward()
    with pytest.raises(ValueError, match="no tape"):
        report.expression_figure(result)
