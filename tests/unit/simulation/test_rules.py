from typing import Any

import pytest
from pydantic import ValidationError

from etf_backtest.errors import InvalidParametersError
from etf_backtest.market import ForwardFill
from etf_backtest.simulation import Rules


def test_defaults() -> None:
    assert Rules().to_dict() == {
        "initial_capital": 10_000.0,
        "rebalance": None,
        "lag": None,
        "cash_rate": 0.0,
        "missing": "error",
    }


@pytest.mark.parametrize("missing", ["error", "common", ForwardFill(3)])
def test_there_and_back(missing: Any) -> None:
    rules = Rules(initial_capital=5, rebalance="weekly", lag=2, cash_rate=0.01, missing=missing)
    assert Rules.model_validate(rules.to_dict()) == rules


def test_rules_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Rules().lag = 3  # type: ignore[misc]  # on purpose


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"initial_capital": 0}, "initial_capital: input should be greater than 0, received 0"),
        ({"initial_capital": -5}, "greater than 0, received -5"),
        ({"initial_capital": float("nan")}, "initial_capital: input should be a finite number"),
        ({"initial_capital": float("inf")}, "initial_capital: input should be a finite number"),
        ({"initial_capital": "much"}, "initial_capital: .*received 'much'"),
        ({"rebalance": "hourly"}, "rebalance: input should be 'never', 'daily'"),
        ({"lag": -1}, "lag: input should be greater than or equal to 0"),
        ({"lag": 0.5}, "lag: input should be a valid integer"),
        ({"cash_rate": 2}, "cash_rate: input should be less than or equal to 1, received 2"),
        ({"cash_rate": -1}, "cash_rate: input should be greater than -1"),
        ({"missing": "zero"}, r"missing: expected 'error', 'common' or ForwardFill\(max_gap=n\)"),
        ({"missing": {"max_gap": 0}}, "max_gap must be 1 or more"),
        ({"missing": {"max_gap": 1, "x": 1}}, "expected 'error', 'common' or ForwardFill"),
        ({"lags": 1}, r"lags: extra inputs .*\(Rules accepts initial_capital, rebalance, lag"),
    ],
)
def test_values_out_of_bounds(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParametersError, match=message) as caught:
        Rules(**rules)
    assert caught.value.exit_code == 2
