import datetime as dt
import json
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from etf_backtest.errors import InvalidParametersError
from etf_backtest.market import ForwardFill
from etf_backtest.market.rates import DatedRates
from etf_backtest.simulation import Bands, CashFlow, Costs, Rebalancing, Rules

MONDAY = dt.date(2024, 1, 1)


def test_defaults() -> None:
    assert Rules().to_dict() == {
        "initial_capital": 10_000.0,
        "rebalance": None,
        "lag": None,
        "costs": {
            "commission_bps": 0.0,
            "commission_fixed": 0.0,
            "commission_min": 0.0,
            "commission_per_share": 0.0,
            "slippage_bps": 0.0,
        },
        "cash_flows": [],
        "dividends": "reinvest",
        "lot_size": None,
        "max_leverage": 1.0,
        "borrow_rate": None,
        "cash_rate": 0.0,
        "expense_ratios": {},
        "missing": "error",
    }


@pytest.mark.parametrize("written", ["ffill:3", "ffill(max_gap=3)", {"max_gap": 3}])
def test_forward_filling_can_be_written(written: Any) -> None:
    assert Rules(missing=written).missing == ForwardFill(3)


def test_one_cash_flow_needs_no_tuple() -> None:
    flow = CashFlow(amount=-5, every="monthly")
    anything: Any = flow
    assert Rules(cash_flows=anything).cash_flows == (flow,)


@pytest.mark.parametrize("missing", ["error", "common", ForwardFill(3)])
def test_there_and_back(missing: Any) -> None:
    rules = Rules(initial_capital=5, rebalance="weekly", lag=2, cash_rate=0.01, missing=missing)
    assert Rules.model_validate(rules.to_dict()) == rules


def test_all_of_them_through_json_and_back() -> None:
    rules = Rules(
        initial_capital=5,
        rebalance=(Bands(absolute=0.05, relative=0.25), "quarterly", "cashflow"),
        lag=2,
        costs=Costs(
            commission_bps=1,
            commission_fixed=2,
            commission_min=3,
            commission_per_share=0.01,
            slippage_bps=4,
        ),
        cash_flows=(
            CashFlow(amount=-500, every="monthly", inflation=0.02, offset=1, end=MONDAY),
            CashFlow(percent=0.1, on=MONDAY),
        ),
        dividends="cash",
        lot_size=10,
        max_leverage=1.5,
        borrow_rate={MONDAY: 0.05, "2024-06-03": 0.06},
        cash_rate=pd.Series([0.01, 0.02], index=pd.DatetimeIndex(["2024-01-01", "2024-02-01"])),
        expense_ratios={"A": 0.0075},
        missing=ForwardFill(2),
    )
    assert rules.borrow_rate == DatedRates((MONDAY, dt.date(2024, 6, 3)), (0.05, 0.06))
    stored = json.loads(json.dumps(rules.to_dict(), allow_nan=False))
    assert Rules.model_validate(stored) == rules
    assert Rules(**stored) == rules


@pytest.mark.parametrize(
    ("written", "expected", "text"),
    [
        ("monthly", Rebalancing(period="monthly"), "monthly"),
        ("never", Rebalancing(), "never"),
        ("cashflow", Rebalancing(cashflow=True), "cashflow"),
        (Bands(relative=0.25), Rebalancing(bands=Bands(relative=0.25)), "bands(relative=0.25)"),
        (
            "bands(absolute=0.05, relative=0.25)",
            Rebalancing(bands=Bands(absolute=0.05, relative=0.25)),
            "bands(absolute=0.05, relative=0.25)",
        ),
        (
            ["monthly", "bands(absolute=0.05)", "cashflow"],
            Rebalancing(period="monthly", bands=Bands(absolute=0.05), cashflow=True),
            "monthly, bands(absolute=0.05), cashflow",
        ),
        (
            (Rebalancing(period="annual", offset=3), "cashflow"),
            Rebalancing(period="annual", offset=3, cashflow=True),
            "annual + 3 sessions, cashflow",
        ),
        ({"period": "weekly"}, Rebalancing(period="weekly"), "weekly"),
    ],
)
def test_what_people_write_for_rebalancing(written: Any, expected: Rebalancing, text: str) -> None:
    assert Rules(rebalance=written).rebalance == expected
    assert str(expected) == text


def test_rules_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Rules().lag = 3  # type: ignore[misc]  # on purpose


REBALANCING = r"rebalance: expected never, daily, .*cashflow, bands\(absolute=\.\.\., .*received "
RATE = r"expected a fraction a year above -1 and at most 1 \(0\.02 is 2 %\), received "


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"initial_capital": 0}, "initial_capital: input should be greater than 0, received 0"),
        ({"initial_capital": -5}, "greater than 0, received -5"),
        ({"initial_capital": float("nan")}, "initial_capital: input should be a finite number"),
        ({"initial_capital": float("inf")}, "initial_capital: input should be a finite number"),
        ({"initial_capital": "much"}, "initial_capital: .*received 'much'"),
        ({"rebalance": "hourly"}, REBALANCING + "'hourly'"),
        ({"rebalance": 3}, REBALANCING + "3"),
        ({"rebalance": ("monthly", "weekly")}, "rebalance: period is given twice"),
        ({"rebalance": "bands()"}, "Bands: expected absolute, relative or both"),
        ({"rebalance": {"bands": {}}}, "Bands: expected absolute, relative or both"),
        ({"rebalance": "bands(absolute=wide)"}, "absolute: .*received 'wide'"),
        ({"rebalance": "bands(absolute=5)"}, "absolute: input should be less .* 1, received '5'"),
        ({"rebalance": {"period": "daily", "offset": 1}}, "offset: daily has no end of a period"),
        ({"lag": -1}, "lag: input should be greater than or equal to 0"),
        ({"lag": 0.5}, "lag: input should be a valid integer"),
        ({"cash_rate": 2}, "cash_rate: " + RATE + "2"),
        ({"cash_rate": -1}, "cash_rate: " + RATE + "-1"),
        ({"cash_rate": float("nan")}, "cash_rate: " + RATE + "nan"),
        ({"cash_rate": {"2024-01-01": 3}}, "cash_rate: the rate on 2024-01-01 is 3.0, expected a"),
        ({"cash_rate": {}}, "cash_rate: 0 dates and 0 rates are no series of rates"),
        ({"cash_rate": "low"}, "cash_rate: expected a number, or a mapping of dates to annual"),
        ({"cash_rate": True}, "cash_rate: expected a number, or a mapping"),
        ({"borrow_rate": -2}, "borrow_rate: " + RATE + "-2"),
        ({"max_leverage": 2}, "borrow_rate: expected a rate, because max_leverage is above 1"),
        ({"max_leverage": 0.5}, "max_leverage: input should be greater than or equal to 1"),
        ({"max_leverage": 11, "borrow_rate": 0.0}, "max_leverage: .* less than or equal to 10"),
        ({"dividends": "burn"}, "dividends: input should be 'reinvest' or 'cash', received 'burn'"),
        ({"lot_size": 0}, "lot_size: input should be greater than 0, received 0"),
        ({"lot_size": float("inf")}, "lot_size: input should be a finite number"),
        ({"expense_ratios": {"A": 0.5}}, r"expense_ratios.A: .*equal to 0.2, received 0.5"),
        ({"expense_ratios": {"A": -0.1}}, r"expense_ratios.A: .*equal to 0, received -0.1"),
        ({"costs": {"commission_bps": -1}}, "commission_bps: .*equal to 0, received -1"),
        ({"costs": {"slippage_bps": 1001}}, "slippage_bps: .*equal to 1000, received 1001"),
        ({"costs": {"commission_fixed": float("nan")}}, "commission_fixed: .* finite number"),
        ({"costs": 5}, "Costs: value: input should be .*received 5"),
        ({"missing": "zero"}, "missing: expected 'error', 'common', 'ffill:N' or"),
        ({"missing": {"max_gap": 0}}, "max_gap must be 1 or more"),
        ({"missing": {"max_gap": 1, "x": 1}}, "expected 'error', 'common', 'ffill:N' or Forw"),
        ({"lags": 1}, r"lags: extra inputs .*\(Rules accepts initial_capital, rebalance, lag"),
    ],
)
def test_values_out_of_bounds(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParametersError, match=message) as caught:
        Rules(**rules)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert caught.value.remedy is not None


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        ({"every": "monthly"}, "expected either an amount or a percent"),
        ({"amount": 1, "percent": 0.1, "every": "monthly"}, "expected either an amount or a perc"),
        ({"amount": 1}, r"expected either every \(a period\) or on \(a date\)"),
        ({"amount": 1, "every": "monthly", "on": MONDAY}, r"expected either every \(a period\) or"),
        ({"amount": 1, "every": "never"}, "every: expected a period, not never"),
        ({"amount": 1, "every": "hourly"}, "every: input should be 'never', 'daily', .*'hourly'"),
        ({"percent": 0.1, "every": "annual", "inflation": 0.02}, "inflation belongs to an amount"),
        ({"amount": 1, "on": MONDAY, "offset": 2}, "a flow on one date has no offset, start and"),
        ({"amount": 1, "on": MONDAY, "start": MONDAY}, "a flow on one date has no offset, start"),
        (
            {"amount": 1, "every": "daily", "start": "2024-02-01", "end": MONDAY},
            "start 2024-02-01 is after end 2024-01-01",
        ),
        ({"amount": float("nan"), "every": "daily"}, "amount: input should be a finite number"),
        ({"percent": -1.5, "every": "daily"}, "percent: .*equal to -1, received -1.5"),
        ({"amount": 1, "every": "daily", "offset": -1}, "offset: .*equal to 0, received -1"),
        ({"amount": 1, "every": "daily", "inflation": -1}, "inflation: .*greater than -1"),
        ({"amount": 1, "on": "soon"}, "on: .*received 'soon'"),
    ],
)
def test_contradictory_cash_flows(flow: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParametersError, match=message) as caught:
        CashFlow(**flow)
    assert "\n" not in str(caught.value)
    assert "CashFlow accepts amount, percent, every, on" in str(caught.value)
