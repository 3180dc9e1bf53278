"""Bad input gets one clear error that names the value and says what to do."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from etf_backtest.errors import (
    AllocationError,
    CostsError,
    EtfBacktestError,
    InvalidParametersError,
    MissingPricesError,
    NoClosesError,
    PriceDataError,
    RateError,
    SimulationError,
    UnknownSymbolError,
    WindowError,
)
from etf_backtest.errors.simulation import LeverageError
from etf_backtest.market import PriceBasis, PricePanel
from etf_backtest.market.rates import DatedRates
from etf_backtest.simulation import Bands, CashFlow, Costs, Rules, simulate
from etf_backtest.strategies import BuyAndHold, FixedWeights, Momentum

# 2024-03-01 is a Friday; LATE begins on 03-05, ENDED has no price after 03-05, GAP none on it
DAYS = pd.bdate_range("2024-03-01", periods=6)
NONE = np.nan
PANEL = PricePanel.from_frame(
    pd.DataFrame(
        {
            "A": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            "LATE": [NONE, NONE, 3.0, 4.0, 5.0, 6.0],
            "ENDED": [1.0, 2.0, 3.0, NONE, NONE, NONE],
            "GAP": [1.0, 2.0, NONE, 4.0, 5.0, 6.0],
        },
        index=DAYS,
    )
)
A = BuyAndHold({"A": 1.0})
COMMON = Rules(missing="common")


def run(strategy: Any = A, rules: Any = None, panel: Any = PANEL, **options: Any) -> object:
    return simulate(panel, strategy, Rules() if rules is None else rules, **options)


def framed(values: Any, index: Any = DAYS) -> PricePanel:
    return PricePanel.from_frame(pd.DataFrame({"A": values}, index=index[: len(values)]))


def from_arrays(dates: Any, values: Any) -> PricePanel:
    days = np.array(dates, "datetime64[D]")
    return PricePanel(days, ("A",), np.array(values).reshape(-1, 1), (PriceBasis.TOTAL_RETURN,))


# what is wrong, how it comes about, the error, its message with the value, its remedy
TABLE: list[tuple[str, Callable[[], object], type[EtfBacktestError], str, str | None]] = [
    (
        "unknown symbol",
        lambda: run(BuyAndHold({"X": 1.0})),
        UnknownSymbolError,
        "there are no prices of 'X'",
        "the panel has A, LATE, ENDED, GAP",
    ),
    (
        "benchmark without data",
        lambda: run(benchmark="SPY"),
        UnknownSymbolError,
        "there are no prices of 'SPY'",
        "the panel has A, LATE, ENDED, GAP",
    ),
    (
        "benchmark that begins too late",
        lambda: run(benchmark="LATE"),
        MissingPricesError,
        "LATE lacks prices on 2 sessions from 2024-03-01 to 2024-03-04",
        "import them, choose another window, or a policy",
    ),
    (
        "missing prices at the end",
        lambda: run(BuyAndHold({"A": 0.5, "ENDED": 0.5})),
        MissingPricesError,
        "ENDED lacks prices on 3 sessions from 2024-03-06 to 2024-03-08",
        "common for the ends of a window, ffill:N",
    ),
    (
        "missing prices of several symbols",
        lambda: run(BuyAndHold({"LATE": 0.5, "ENDED": 0.5})),
        MissingPricesError,
        "LATE lacks prices on 2 sessions from 2024-03-01 to 2024-03-04; so does ENDED",
        "import them",
    ),
    (
        "missing prices in the history of what looks at them",
        lambda: run(Momentum(["A", "GAP"], look_back=1, skip=0), start="2024-03-06"),
        MissingPricesError,
        "GAP lacks prices on 1 session from 2024-03-05 to 2024-03-05",
        "import them",
    ),
    (
        "nothing in common",
        lambda: run(BuyAndHold({"LATE": 0.5, "ENDED": 0.5}), COMMON),
        WindowError,
        "LATE, ENDED share fewer than 2 sessions",
        "leave out the symbol",
    ),
    (
        "nothing in common with the window",
        lambda: run(Momentum(["ENDED"], look_back=1, skip=0), COMMON, start="2024-03-05"),
        WindowError,
        "the window 2024-03-05 to 2024-03-05 has 1 session(s)",
        "choose a longer window",
    ),
    (
        "weights above one",
        lambda: run(BuyAndHold({"A": 0.8, "GAP": 0.7}), start="2024-03-06"),
        LeverageError,
        "the weights that buy_and_hold decided on 2024-03-06 sum to 1.5, above 1: leverage is off",
        "Rules(max_leverage=1.5) lets a portfolio borrow",
    ),
    (
        "weights above what may be borrowed",
        lambda: run(BuyAndHold({"A": 1.5}), Rules(max_leverage=1.2, borrow_rate=0.05)),
        LeverageError,
        "sum to 1.5, above max_leverage = 1.2",
        "Rules(max_leverage=1.5)",
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
        "reversed window",
        lambda: run(start="2024-03-07", end="2024-03-04"),
        WindowError,
        "the window starts on 2024-03-07, after its end on 2024-03-04",
        "exchange the dates",
    ),
    (
        "a start that is no session",
        lambda: run(start="2024-03-02"),
        WindowError,
        "2024-03-02 is not a session",
        "the next session is 2024-03-04",
    ),
    (
        "a window without a session",
        lambda: run(start="2024-03-02", end="2024-03-03"),
        WindowError,
        "the window 2024-03-02 to 2024-03-03 has 0 session(s), expected at least 2",
        "choose a longer window",
    ),
    (
        "a window of its last day",
        lambda: run(start="2024-03-08"),
        WindowError,
        "the window 2024-03-08 to 2024-03-08 has 1 session(s), expected at least 2",
        "choose a longer window",
    ),
    (
        "a window of its first day",
        lambda: run(end="2024-03-01"),
        WindowError,
        "the window 2024-03-01 to 2024-03-01 has 1 session(s), expected at least 2",
        "choose a longer window",
    ),
    (
        "a panel of one day",
        lambda: run(panel=framed([1.0])),
        WindowError,
        "has 1 session(s), expected at least 2",
        "choose a longer window",
    ),
    (
        "a window before the prices",
        lambda: run(start="2023-01-02"),
        WindowError,
        "the window 2023-01-02 to 2024-03-08 is not covered: prices go from 2024-03-01 to",
        "choose a window inside, or import more prices",
    ),
    (
        "a window after the prices",
        lambda: run(end="2025-01-02"),
        WindowError,
        "the window 2024-03-01 to 2025-01-02 is not covered",
        "choose a window inside, or import more prices",
    ),
    (
        "what is no date",
        lambda: run(start="yesterday"),
        WindowError,
        "'yesterday' is not a date",
        "write it like 2024-01-31",
    ),
    (
        "a calendar without sessions",
        lambda: framed([]),
        PriceDataError,
        "a panel of 0 sessions and 1 symbols is empty",
        "give at least one session and one symbol",
    ),
    (
        "duplicate dates",
        lambda: framed([1.0, 2.0], pd.DatetimeIndex(["2024-03-01"] * 2)),
        PriceDataError,
        "2024-03-01",
        None,
    ),
    (
        "unsorted dates",
        lambda: from_arrays(["2024-03-04", "2024-03-01"], [1.0, 2.0]),
        PriceDataError,
        "2024-03-01",
        None,
    ),
    (
        "a price of 0",
        lambda: framed([1.0, 0.0]),
        PriceDataError,
        "A has the price 0.0 on 2024-03-04, expected a positive number",
        "mend it, or leave it empty (NaN)",
    ),
    (
        "a negative price",
        lambda: framed([1.0, 2.0, -3.0]),
        PriceDataError,
        "A has the price -3.0 on 2024-03-05, expected a positive number",
        "mend it",
    ),
    (
        "an infinite price",
        lambda: framed([np.inf, 2.0]),
        PriceDataError,
        "A has the price inf on 2024-03-01",
        "mend it",
    ),
    (
        "absurd prices",
        lambda: run(panel=framed([1e-300, 1.0, 1e300])),
        SimulationError,
        "the simulated value on 2024-03-05 is inf",
        "look for absurd jumps in the prices",
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


@pytest.mark.parametrize(
    ("call", "error", "message", "remedy"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_bad_input(
    call: Callable[[], object], error: type[EtfBacktestError], message: str, remedy: str | None
) -> None:
    with pytest.raises(EtfBacktestError) as caught:
        call()
    assert type(caught.value) is error
    text = str(caught.value)
    assert message in text
    assert "\n" not in text
    if remedy is not None:
        assert caught.value.remedy is not None
        assert remedy in caught.value.remedy
        assert caught.value.remedy in text


def test_a_look_back_longer_than_the_history_stays_in_cash_and_says_so() -> None:
    result = simulate(PANEL, Momentum(["A"], look_back=100, skip=5), Rules(rebalance="daily"))
    assert result.equity.tolist() == [10_000.0] * 6
    assert result.trades.empty
    assert result.warnings[0] == (
        "momentum looks at 106 sessions; the prices begin on 2024-03-01, too late for 4 of 4 "
        "decisions, and the money stays in cash for the whole window"
    )


def test_gaps_before_the_window_do_not_matter_to_what_does_not_look() -> None:
    result = simulate(PANEL, BuyAndHold({"LATE": 1.0}), start="2024-03-05")
    assert result.window.sessions == 4


def test_common_reports_the_window_it_made() -> None:
    result = simulate(PANEL, BuyAndHold({"A": 0.5, "LATE": 0.5}), COMMON)
    assert result.window.to_dict() == {"start": "2024-03-05", "end": "2024-03-08", "sessions": 4}
    assert result.warnings[0] == (
        "only sessions that all symbols share are used: 2024-03-05 to 2024-03-08 instead of "
        "2024-03-01 to 2024-03-08"
    )


def test_a_sum_above_one_by_rounding_alone_is_one() -> None:
    tenths = FixedWeights({"A": 0.7, "GAP": 0.1 + 0.2 + 1e-12})
    result = simulate(PANEL, tenths, start="2024-03-06")
    assert result.book.cash.tolist() == [0.0, 0.0, 0.0]
