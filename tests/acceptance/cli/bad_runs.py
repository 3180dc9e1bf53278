"""Runs that cannot be: as they are typed, as they are called, and what is said.

The portfolios, strategies and prices are those that test_bad_input.py stores.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from etf_backtest.errors import (
    EtfBacktestError,
    InvalidParametersError,
    InvalidPortfolioError,
    MissingPricesError,
    NoClosesError,
    NoPricesError,
    NotFoundError,
    RateError,
    UncoveredWindowError,
    UnknownSymbolError,
    WindowError,
)
from etf_backtest.market.rates import DatedRates
from etf_backtest.simulation import CashFlow, Costs, Rules

LATE = DatedRates.of({"2024-01-03": 0.02})
NAN, INF = float("nan"), float("inf")


@dataclass(frozen=True)
class BadRun:
    """One run that cannot be: as it is typed, as it is called, and what is said."""

    name: str
    typed: list[str]
    error: type[EtfBacktestError]
    message: str
    called: Callable[[], dict[str, Any]] = field(default=dict)
    """Arguments of `run_backtest`, made when they are needed: bad rules refuse to be made."""
    portfolio: str = "p"
    strategy: str = "hold"

    def __str__(self) -> str:
        return self.name


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def rules(**fields: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {"rules": Rules.model_validate(fields)}


def window(start: str, end: str) -> dict[str, Any]:
    return {
        "typed": ["--from", start, "--to", end],
        "called": lambda: {"start": day(start), "end": day(end)},
    }


RUNS = [
    BadRun("unknown portfolio", [], NotFoundError, "no portfolio 'q'", portfolio="q"),
    BadRun("unknown strategy", [], NotFoundError, "did you mean hold", strategy="hodl"),
    BadRun("unknown symbol", [], NoPricesError, "GHOST: no prices are stored", portfolio="ghost"),
    BadRun(
        "missing prices",
        [],
        MissingPricesError,
        "HOLE lacks prices on 2 sessions from 2024-01-03 to 2024-01-05",
        portfolio="hole",
    ),
    BadRun(
        "a gap longer than is filled",
        ["--missing", "ffill:1", "--to", "2024-01-09"],
        MissingPricesError,
        "EARLY lacks prices on 3 sessions from 2024-01-05 to 2024-01-09",
        lambda: {"rules": Rules(missing={"max_gap": 1}), "end": day("2024-01-09")},
        portfolio="early",
    ),
    BadRun(
        "benchmark without data",
        ["-b", "GHOST"],
        NoPricesError,
        "GHOST: the benchmark has no prices",
        lambda: {"benchmark": "GHOST"},
    ),
    BadRun(
        "benchmark that ends early",
        ["-b", "EARLY", "--to", "2024-01-09"],
        UncoveredWindowError,
        "AAA, BBB, EARLY all have prices from 2024-01-01 to 2024-01-04",
        lambda: {"benchmark": "EARLY", "end": day("2024-01-09")},
    ),
    BadRun(
        "a window before the prices",
        error=UncoveredWindowError,
        message="2020-01-01 to 2020-02-01 is not covered",
        **window("2020-01-01", "2020-02-01"),
    ),
    BadRun(
        "a window after the prices",
        error=UncoveredWindowError,
        message="2025-01-01 to 2025-02-01 is not covered",
        **window("2025-01-01", "2025-02-01"),
    ),
    BadRun(
        "a window without a session",
        error=WindowError,
        message="no session from 2024-01-06 to 2024-01-07",
        **window("2024-01-06", "2024-01-07"),
    ),
    BadRun(
        "a one-day window",
        ["--from", "2024-01-09"],
        WindowError,
        "has 1 session, expected at least 2",
        lambda: {"start": day("2024-01-09")},
    ),
    BadRun(
        "look-back longer than history",
        [],
        WindowError,
        "momentum looks back over 274 sessions, but from 2024-01-01",
        strategy="ranked",
    ),
    BadRun(
        "negative capital",
        ["--capital", "-5"],
        InvalidParametersError,
        "input should be greater than 0, received",
        rules(initial_capital=-5),
    ),
    BadRun(
        "capital that is no money",
        ["--capital", "100.005"],
        InvalidPortfolioError,
        "the capital is 100.005",
        lambda: {"initial_capital": Decimal("100.005")},
    ),
    BadRun(
        "capital above what a column holds",
        ["--capital", "1e12"],
        InvalidPortfolioError,
        "the capital is 1000000000000.0",
        rules(initial_capital=1e12),
    ),
    BadRun(
        "no name", ["--name", " "], InvalidPortfolioError, "the name ' '", lambda: {"name": " "}
    ),
    BadRun(
        "a rate in percent",
        ["--cash-rate", "2"],
        InvalidParametersError,
        "expected a fraction a year above -1 and at most 1",
        rules(cash_rate=2),
    ),
    BadRun(
        "a rate that is no number",
        ["--risk-free", "nan"],
        InvalidParametersError,
        "risk",
        lambda: {"risk_free": NAN},
    ),
    BadRun(
        "a cost that is not finite",
        ["--commission-bps", "inf"],
        InvalidParametersError,
        "input should be a finite number",
        lambda: {"rules": Rules(costs=Costs(commission_bps=INF))},
    ),
    BadRun(
        "a negative cost",
        ["--slippage-bps", "-1"],
        InvalidParametersError,
        "input should be greater than or equal to 0",
        lambda: {"rules": Rules(costs=Costs(slippage_bps=-1))},
    ),
    BadRun(
        "leverage without a rate",
        ["--max-leverage", "2"],
        InvalidParametersError,
        "borrow_rate: expected a rate, because max_leverage is above 1",
        rules(max_leverage=2),
    ),
    BadRun(
        "a flow without a time",
        ["--cash-flow", "-500"],
        InvalidParametersError,
        "",  # each in words of its own
        lambda: {"rules": Rules(cash_flows=(CashFlow(amount=-500),))},
    ),
    BadRun(
        "an unknown period",
        ["--rebalance", "hourly"],
        InvalidParametersError,
        "expected never, daily, weekly",
        rules(rebalance="hourly"),
    ),
    BadRun(
        "an offset of nothing",
        ["--rebalance-offset", "3"],
        InvalidParametersError,
        "no end of a period",
        rules(rebalance={"offset": 3}),
    ),
    BadRun(
        "a band wider than everything",
        ["--band-absolute", "5"],
        InvalidParametersError,
        "input should be less than or equal to 1",
        rules(rebalance={"bands": {"absolute": 5}}),
    ),
    BadRun(
        "a negative lag",
        ["--lag", "-1"],
        InvalidParametersError,
        "input should be greater than or equal to 0",
        rules(lag=-1),
    ),
    BadRun(
        "lots of nothing",
        ["--lot-size", "0"],
        InvalidParametersError,
        "input should be greater than 0",
        rules(lot_size=0),
    ),
    BadRun(
        "a fee of a symbol that is not there",
        ["--expense-ratio", "SPY=0.1%"],
        UnknownSymbolError,
        "SPY",
        rules(expense_ratios={"SPY": 0.001}),
    ),
    BadRun(
        "dividends as cash of adjusted closes",
        ["--dividends", "cash"],
        NoClosesError,
        "AAA has total-return prices only",
        rules(dividends="cash"),
    ),
    BadRun(
        "rates that begin too late",
        ["--cash-rate", "late.csv"],
        RateError,
        "the rates begin on 2024-01-03, after the first session 2024-01-01",
        rules(cash_rate=LATE),
    ),
]
