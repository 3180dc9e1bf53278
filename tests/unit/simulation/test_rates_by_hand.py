"""Interest, risk-free rates and expense ratios, in runs that can be computed by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from etf_backtest.errors import InvalidParametersError, RateError
from etf_backtest.market import PricePanel
from etf_backtest.market.rates import DatedRates
from etf_backtest.simulation import Rules, simulate
from etf_backtest.strategies import BuyAndHold, Strategy
from etf_backtest.typing import FloatArray
from tests.unit.simulation.by_hand import near, prices, shares

CENT_A_DAY = 0.0365
"""0.01 % a calendar day."""
NOTHING = BuyAndHold({"A": 0.0})
ALL = BuyAndHold({"A": 1.0})
# Monday to Thursday
FLAT = prices(A=[100.0] * 4)


def test_a_dated_rate_holds_from_the_session_after_its_date() -> None:
    dated = {"2023-12-01": CENT_A_DAY, "2024-01-02": 2 * CENT_A_DAY, "2030-01-01": 0.5}
    for rate in (dated, pd.Series(dated), DatedRates.of(dated)):
        result = simulate(FLAT, NOTHING, Rules(initial_capital=1000, cash_rate=rate))
        # to Tuesday the old rate, from Tuesday on the new one
        near(result.equity, [1000.0, 1000.1, 1000.1 * 1.0002, 1000.1 * 1.0002**2])


def test_a_dated_rate_must_hold_on_the_first_session() -> None:
    rules = Rules(cash_rate={"2024-01-02": 0.02})
    with pytest.raises(RateError, match="begin on 2024-01-02, after the first session 2024-01-01"):
        simulate(FLAT, NOTHING, rules)
    with pytest.raises(RateError, match="add the rate that was in force then"):
        simulate(FLAT, NOTHING, rules)


def test_a_negative_rate_costs() -> None:
    result = simulate(FLAT, NOTHING, Rules(initial_capital=1000, cash_rate=-CENT_A_DAY))
    near(result.equity.iloc[:2], [1000.0, 999.9])
    near(result.change_of_value.interest[0], -0.1)


def test_a_dated_risk_free_rate() -> None:
    panel = prices(A=[100.0, 102.0, 101.0, 103.0])
    dated = {"2024-01-01": 0.02, "2024-01-03": 0.05}
    result = simulate(panel, ALL, risk_free=dated)  # type: ignore[arg-type]  # a mapping, too
    # the first two steps begin on the 1st and the 2nd, the third on the 3rd
    per_session = np.array([1.02, 1.02, 1.05]) ** (1 / 252) - 1
    excess = np.array([102 / 100, 101 / 102, 103 / 101]) - 1 - per_session
    expected = excess.mean() / excess.std(ddof=1) * np.sqrt(252)
    assert result.metrics.sharpe_ratio == pytest.approx(expected, rel=1e-12)
    assert result.to_dict()["risk_free"] == dated
    with pytest.raises(RateError, match="begin on 2024-01-02"):
        simulate(panel, ALL, risk_free=DatedRates.of({"2024-01-02": 0.02}))


@pytest.mark.parametrize("rate", [2.0, -1.0, np.nan, np.inf, "low", None, True])
def test_what_is_no_risk_free_rate(rate: Any) -> None:
    with pytest.raises(
        InvalidParametersError, match="risk_free: expected an annual rate"
    ) as caught:
        simulate(FLAT, ALL, risk_free=rate)
    assert f"received {rate}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_expense_ratio_is_taken_out_of_the_price_day_by_day() -> None:
    # Friday to Tuesday: 3 days and 1
    panel = prices(start="2024-01-05", A=[100.0] * 3, B=[100.0] * 3)
    rules = Rules(initial_capital=1000, expense_ratios={"A": CENT_A_DAY})
    result = simulate(panel, ALL, rules, benchmark="B")
    near(result.equity, [1000.0, 999.7, 999.7 * 0.9999])
    assert result.benchmark_values is not None
    near(result.benchmark_values, [1000.0] * 3)
    assert result.warnings[0] == "expense ratios a year were taken out of the prices: A 3.6500%"
    other = simulate(panel, BuyAndHold({"B": 1.0}), rules, benchmark="A")
    assert other.benchmark_values is not None
    near(other.benchmark_values, [1000.0, 999.7, 999.7 * 0.9999])


def test_an_expense_ratio_lowers_closes_and_dividends() -> None:
    market = PricePanel.from_series([shares([100.0, 100.0, 100.0], dividends={1: 10.0})])
    rules = Rules(initial_capital=1000, expense_ratios={"A": CENT_A_DAY}, dividends="cash")
    result = simulate(market, ALL, rules)
    # 10 shares pay 9.999 each
    near(result.cash, [0.0, 99.99, 99.99])
    near(result.equity, [1000.0, 999.9 + 99.99, 999.9 * 0.9999 + 99.99])


class Seen(Strategy):
    """All in cash; remembers the prices it has seen."""

    name = "seen"
    symbols = ("A",)
    history_sessions = None

    def __init__(self) -> None:
        self.prices: list[list[float]] = []

    def target_weights(self, history: PricePanel) -> FloatArray:
        self.prices.append(history.prices[:, 0].tolist())
        return np.zeros(1)


def test_the_strategy_sees_prices_after_expenses_anchored_at_the_window() -> None:
    strategy = Seen()
    rules = Rules(expense_ratios={"A": CENT_A_DAY}, rebalance="daily")
    simulate(prices(A=[100.0] * 5), strategy, rules, start="2024-01-02")
    # the day before the window is dearer, by the same fraction
    near(strategy.prices[0], [100 / 0.9999, 100.0])
    near(strategy.prices[1], [100 / 0.9999, 100.0, 99.99])
