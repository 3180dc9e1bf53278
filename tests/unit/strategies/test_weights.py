import numpy as np
import pytest

from etf_backtest.errors import AllocationError
from etf_backtest.strategies.weights import check_targets, check_weights

DATES = np.array(["2024-01-31", "2024-02-29"], dtype="datetime64[D]")


def test_many_are_scaled_as_one_is() -> None:
    # the first misses 1 by 1e-10, which is rounding; 0.5 does not mean all of the value
    targets = np.array([[0.7, 0.2, 0.1 + 1e-10], [0.3, 0.1, 0.1]])
    symbols = ("A", "B", "C")
    expected = [check_weights(row, symbols) for row in targets]
    received = check_targets(targets, symbols, DATES, name="mine")
    np.testing.assert_array_equal(received, expected)
    assert received.sum(axis=1).tolist() == pytest.approx([1.0, 0.5], abs=1e-15)
    assert targets[0, 2] == 0.1 + 1e-10  # what is given is left alone
    stack = np.stack([targets] * 3)
    assert check_targets(stack, symbols, DATES, name="mine", copy=False) is stack
    np.testing.assert_array_equal(stack, [expected] * 3)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([0.5, -0.1], "the weight of B that mine decided on 2024-02-29 is -0.1"),
        ([np.nan, 0.1], "the weight of A that mine decided on 2024-02-29 is nan"),
        ([0.5, np.inf], "the weight of B that mine decided on 2024-02-29 is inf"),
        ([0.9, 0.2], r"the weights that mine decided on 2024-02-29 sum to 1\.1, above 1"),
    ],
)
def test_the_bad_one_of_many_is_named(bad: list[float], message: str) -> None:
    targets = np.array([[[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.5], bad]])
    with pytest.raises(AllocationError, match=message):
        check_targets(targets, ("A", "B"), DATES, name="mine")


def test_leverage_is_allowed_up_to_what_the_rules_say() -> None:
    targets = np.array([[0.9, 0.6], [0.5, 0.5]])
    received = check_targets(targets, ("A", "B"), DATES, name="mine", max_leverage=1.5)
    np.testing.assert_array_equal(received, targets)


def test_no_decisions_are_no_trouble() -> None:
    empty = check_targets(np.zeros((0, 2)), ("A", "B"), DATES[:0], name="mine")
    assert empty.shape == (0, 2)
