"""Rules, weights and arguments that no run can use."""

import pandas as pd
import pytest

from etf_backtest.errors import (
    AllocationError,
    CostsError,
    InvalidParametersError,
    NoClosesError,
    RateError,
    UnknownSymbolError,
)
from etf_backtest.errors.simulation import LeverageError
from etf_backtest.market.rates import DatedRates
from etf_backtest.simulation import Bands, CashFlow, Costs, Rules, simulate
from etf_backtest.strategies import BuyAndHold, FixedWeights, Momentum
from tests.unit.simulation.bad_input import NONE, PANEL, Case, check, named, run

TABLE: list[Case] = [
    (
        "weights above one",
        lambda: run(BuyAndHold({"A": 0.8, "GAP": 0.7}), start="2024-03-06"),
        LeverageError,
        "the weights that buy_and_hold decided on 2024-03-06 sum to 1.5, above 1: leverage is off",
        "Rules(max_leverage=1.5, borrow_rate=...) lets a portfolio borrow",
    ),
    (
        "weights above what may be borrowed",
        lambda: run(BuyAndHold({"A": 1.5}), Rules(max_leverage=1.2, borrow_rate=0.05)),
        LeverageError,
        "sum to 1.5, above max_leverage = 1.2",
        "Rules(max_leverage=1.5, borrow_rate",
    ),
    (
        "weights that are percent",
        lambda: run(BuyAndHold({"A": 60})),
        AllocationError,
        "the weights sum to 60, above 10: they look like percent",
        "each weight is a fraction from 0 to 1",
    ),
    (
        "a negative weight",
        lambda: run(BuyAndHold({"A": -0.5})),
        AllocationError,
        "the weight of A is -0.5",
        "each weight is a fraction from 0 to 1",
    ),
    (
        "no weights",
        lambda: run(BuyAndHold({})),
        AllocationError,
        "there are no allocations",
        "each weight is a fraction",
    ),
    (
        "negative capital",
        lambda: run(rules=Rules(initial_capital=-5)),
        InvalidParametersError,
        "initial_capital: input should be greater than 0, received -5",
        "Rules accepts initial_capital",
    ),
    (
        "a risk-free rate out of bounds",
        lambda: run(risk_free=2.0),
        InvalidParametersError,
        "risk_free: expected an annual rate: expected a fraction a year above -1 and at most 1",
        None,
    ),
    (
        "a risk-free rate that is not finite",
        lambda: run(risk_free=NONE),
        InvalidParametersError,
        "received nan",
        None,
    ),
    (
        "a cash rate out of bounds",
        lambda: run(rules=Rules(cash_rate=5)),
        InvalidParametersError,
        "cash_rate: expected a fraction a year above -1 and at most 1 (0.02 is 2 %), received 5",
        "Rules accepts",
    ),
    (
        "cash rates that begin too late",
        lambda: run(rules=Rules(cash_rate={"2024-03-04": 0.02})),
        RateError,
        "the rates begin on 2024-03-04, after the first session 2024-03-01",
        "add the rate that was in force then",
    ),
    (
        "risk-free rates that begin too late",
        lambda: run(risk_free=DatedRates.of({"2024-03-04": 0.02})),
        RateError,
        "the rates begin on 2024-03-04, after the first session 2024-03-01",
        "add the rate that was in force then",
    ),
    (
        "leverage without its price",
        lambda: run(rules=Rules(max_leverage=2)),
        InvalidParametersError,
        "borrow_rate: expected a rate, because max_leverage is above 1",
        "Rules accepts",
    ),
    (
        "a frame in place of a panel",
        lambda: run(panel=pd.DataFrame({"A": [1.0, 2.0]})),
        InvalidParametersError,
        "panel: expected a PricePanel, received DataFrame: PricePanel.from_frame(frame) makes one",
        None,
    ),
    (
        "a name in place of a strategy",
        lambda: run("momentum"),
        InvalidParametersError,
        "strategy: expected a Strategy, received str: BuyAndHold({'SPY': 1.0}), for example",
        None,
    ),
    (
        "a class in place of a strategy",
        lambda: run(Momentum),
        InvalidParametersError,
        "strategy: expected a Strategy, received ABCMeta",
        None,
    ),
    (
        "a dict in place of rules",
        lambda: run(rules={"rebalance": "monthly"}),
        InvalidParametersError,
        "rules: expected a Rules, received dict: Rules(rebalance='monthly'), for example",
        None,
    ),
    (
        "a benchmark that is no symbol",
        lambda: run(benchmark=5),
        UnknownSymbolError,
        "there are no prices of 5",
        "the panel has A",
    ),
    (
        "a non-finite parameter",
        lambda: run(rules=Rules(costs=Costs(commission_bps=float("inf")))),
        InvalidParametersError,
        "commission_bps: input should be a finite number",
        "Costs accepts commission_bps",
    ),
    (
        "a look-back of nothing",
        lambda: run(Momentum(["A"], look_back=0, skip=0)),
        InvalidParametersError,
        "look_back: input should be greater than or equal to 1, received 0",
        "Momentum accepts look_back",
    ),
    (
        "a flow of two sizes",
        lambda: run(rules=Rules(cash_flows=[CashFlow(amount=1, percent=0.1, every="daily")])),
        InvalidParametersError,
        "expected either an amount or a percent",
        "CashFlow accepts amount, percent",
    ),
    (
        "a flow without a time",
        lambda: run(rules=Rules(cash_flows=[{"amount": 1}])),
        InvalidParametersError,
        "expected either every (a period) or on (a date)",
        "CashFlow accepts amount, percent",
    ),
    (
        "bands without limits",
        lambda: run(rules=Rules(rebalance=Bands())),
        InvalidParametersError,
        "Bands: expected absolute, relative or both",
        "Bands accepts absolute, relative",
    ),
    (
        "an unknown word for rebalancing",
        lambda: run(rules=Rules(rebalance="hourly")),
        InvalidParametersError,
        "rebalance: expected never, daily, weekly, monthly, quarterly, semiannual, annual, cashfl",
        "Rules accepts",
    ),
    (
        "an expense ratio of an unknown symbol",
        lambda: run(rules=Rules(expense_ratios={"X": 0.01})),
        UnknownSymbolError,
        "there are no prices of 'X'",
        "the panel has A",
    ),
    (
        "dividends as cash without closes",
        lambda: run(rules=Rules(dividends="cash")),
        NoClosesError,
        "A has total-return prices only, in which dividends are reinvested already",
        "give closes, dividends and splits (PricePanel.from_bars), or reinvest the dividends",
    ),
    (
        "orders that cost more than there is",
        lambda: run(rules=Rules(initial_capital=100, costs=Costs(commission_fixed=100))),
        CostsError,
        "on 2024-03-01 the orders would cost more than the 100.00 that there are",
        "lower the costs of an order, start with more, or rebalance less often",
    ),
]


@pytest.mark.parametrize("case", TABLE, ids=named)
def test_it_is_said_in_one_line(case: Case) -> None:
    check(case)


def test_a_sum_above_one_by_rounding_alone_is_one() -> None:
    tenths = FixedWeights({"A": 0.7, "GAP": 0.1 + 0.2 + 1e-12})
    result = simulate(PANEL, tenths, start="2024-03-06")
    assert result.book.cash.tolist() == [0.0, 0.0, 0.0]
