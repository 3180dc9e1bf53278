"""Thirty years of daily sessions, each rule at work for the whole time: kernel and ledger agree."""

import datetime as dt

import pytest

from etf_backtest.market.rates import DatedRates
from etf_backtest.simulation import Bands, CashFlow, Costs, Rules, simulate
from etf_backtest.simulation.ledger import simulate_ledger
from etf_backtest.strategies import BuyAndHold, EqualWeight, FixedWeights, Momentum, Strategy
from tests.oracles.random_runs import market

AGREEMENT = 1e-9
SESSIONS = 7560
"""30 years of 252."""
SYMBOLS = ("A", "B", "C", "D")
WITH_CASH = {"A": 0.1, "B": 0.2, "C": 0.3, "D": 0.15}
LEVERAGED = {"A": 0.5, "B": 0.4, "C": 0.3, "D": 0.2}
ALL_COSTS = Costs(
    commission_bps=3,
    commission_fixed=0.5,
    commission_min=2,
    commission_per_share=0.005,
    slippage_bps=2,
)
RATES = DatedRates.of(
    {dt.date(2000 + year, 1, 1): 0.05 - 0.002 * year for year in range(30)}  # 5 % down to -0.8 %
)
MONTHLY_PENSION = (CashFlow(amount=-400, every="monthly", inflation=0.02),)
SAVINGS = (
    CashFlow(amount=250, every="monthly", offset=3, inflation=0.03),
    CashFlow(percent=-0.01, every="annual"),
    CashFlow(amount=10_000, on=dt.date(2012, 5, 5)),
)

CASES: dict[str, tuple[Strategy, Rules]] = {
    "hold": (BuyAndHold(WITH_CASH), Rules(cash_rate=RATES, dividends="cash")),
    "daily": (FixedWeights(WITH_CASH, rebalance="daily"), Rules(cash_rate=0.03)),
    "daily with all costs": (
        FixedWeights(WITH_CASH, rebalance="daily"),
        Rules(initial_capital=1e7, costs=ALL_COSTS, cash_rate=0.03),
    ),
    "monthly with costs": (
        EqualWeight(SYMBOLS),
        Rules(costs=Costs(commission_bps=5, slippage_bps=2), expense_ratios={"A": 0.01}),
    ),
    "pension": (
        FixedWeights(WITH_CASH),
        Rules(
            initial_capital=200_000, costs=ALL_COSTS, cash_flows=MONTHLY_PENSION, cash_rate=RATES
        ),
    ),
    "savings, bands and new money": (
        FixedWeights({"A": 0.4, "B": 0.3, "C": 0.2, "D": 0.1}),
        Rules(
            initial_capital=50_000,
            rebalance=(Bands(absolute=0.05, relative=0.25), "cashflow", "annual"),
            lag=1,
            costs=ALL_COSTS,
            cash_flows=SAVINGS,
        ),
    ),
    "lots": (
        FixedWeights(WITH_CASH, rebalance="quarterly"),
        Rules(initial_capital=1e6, costs=ALL_COSTS, lot_size=1, cash_flows=SAVINGS),
    ),
    "lots, dividends in cash": (
        Momentum(SYMBOLS, top_n=2),
        Rules(initial_capital=1e6, costs=ALL_COSTS, lot_size=10, dividends="cash"),
    ),
    "leverage": (
        FixedWeights(LEVERAGED, rebalance="weekly"),
        Rules(max_leverage=1.5, borrow_rate=RATES, costs=Costs(commission_bps=1)),
    ),
    "momentum": (Momentum(SYMBOLS, top_n=2), Rules(costs=ALL_COSTS, initial_capital=1e6)),
}


@pytest.mark.parametrize("quotes", [True, False], ids=["closes", "total returns"])
@pytest.mark.parametrize("case", CASES)
def test_thirty_years(case: str, quotes: bool) -> None:
    strategy, rules = CASES[case]
    if not quotes:
        rules = rules.model_copy(update={"dividends": "reinvest"})
    panel = market(2022, SESSIONS, SYMBOLS, [quotes] * len(SYMBOLS))
    books = simulate_ledger(panel, strategy, rules)
    assert len(books.days) == SESSIONS  # nobody is ruined on the way
    assert books.check_identity() < 1e-30
    assert books.difference(simulate(panel, strategy, rules)) < AGREEMENT / 10
