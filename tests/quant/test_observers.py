import numpy as np
import pytest

from tinyslim.quant import observers


def run(rule, batches):
    memory = np.zeros(3)
    return [rule(memory, largest) for largest in batches], memory


def test_the_first_batch_alone_is_the_first_range():
    for rule in observers.RULES.values():
        ranges, _ = run(rule, [3.5])
        assert ranges == [3.5]


def test_moving_average_follows_paddleslims_recurrence():
    ranges, _ = run(observers.moving_average_abs_max, [1.0, 2.0, 4.0])
    assert ranges[1] == pytest.approx((0.9 * 1 + 2) / (0.9 + 1))
    assert ranges[2] == pytest.approx((0.81 * 1 + 0.9 * 2 + 4) / (0.81 + 0.9 + 1))


def test_moving_average_of_equal_batches_is_exact():
    ranges, _ = run(observers.moving_average_abs_max, [2.0] * 50)
    np.testing.assert_allclose(ranges, 2.0, rtol=1e-12)


def test_abs_max_takes_each_batch_as_it_comes_and_settles_on_the_moving_average():
    ranges, memory = run(observers.abs_max, [1.0, 5.0, 2.0])
    _, moving = run(observers.moving_average_abs_max, [1.0, 5.0, 2.0])
    assert ranges == [1.0, 5.0, 2.0]
    assert observers.settled("abs_max", memory) == observers.settled("moving_average_abs_max", moving)


def test_range_abs_max_forgets_an_outlier_after_two_windows(monkeypatch):
    monkeypatch.setattr(observers, "WINDOW", 4)
    ranges, memory = run(observers.range_abs_max, [9.0] + [1.0] * 12)
    assert ranges[:5] == [9.0] * 5
    assert ranges[-1] == 1.0
    assert observers.settled("range_abs_max", memory) == 1.0


@pytest.mark.parametrize("name", observers.RULES)
def test_a_range_before_the_first_batch_is_an_error(name):
    with pytest.raises(ValueError, match="seen no batch"):
        observers.settled(name, np.zeros(3))
