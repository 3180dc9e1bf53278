"""Runs over prices that are a proxy's in part: what comes out, and what the result says of it."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etf_backtest.errors import NoClosesError
from etf_backtest.market import PriceBasis, PricePanel, PriceSeries
from etf_backtest.market.splice import Splice
from etf_backtest.simulation import CashFlow, Costs, Rules, simulate
from etf_backtest.simulation.ledger import simulate_ledger
from etf_backtest.simulation.many import simulate_many
from etf_backtest.simulation.proxy_share import ProxyShare, proxy_shares, splices_of
from etf_backtest.strategies import BuyAndHold, EqualWeight, FixedWeights, Momentum

FIRST = 40
"""The row of NEW's first own price."""
SESSIONS = 100
DAYS = np.busday_offset("2021-01-04", np.arange(SESSIONS), roll="forward")
SPLICE = dt.date(2021, 3, 1)
"""40 business days after Monday, 4 January: eight weeks."""
FEE = 0.01


def market(seed: int = 1) -> PricePanel:
    """OLD and OTHER all the time, NEW from row 40 on with dividends and a split."""
    random = np.random.default_rng(seed)
    series = []
    for symbol, first in (("NEW", FIRST), ("OLD", 0), ("OTHER", 0)):
        count = SESSIONS - first
        splits = np.ones(count)
        splits[count // 2] = 2.0
        closes = 100 * np.exp(random.normal(0, 0.02, count).cumsum()) / splits.cumprod()
        dividends = np.where(random.random(count) < 0.1, 0.5, 0.0)
        series.append(
            PriceSeries.from_closes(
                symbol,
                DAYS[first:],
                closes,
                dividends=dividends,
                splits=splits,
                split_adjusted=False,
            )
        )
    return PricePanel.from_series(series)


def spliced_market(seed: int = 1) -> PricePanel:
    return market(seed).spliced("NEW", before="OLD", annual_fee=FEE)


def composed(seed: int = 1) -> PricePanel:
    """The same prices put together by hand, and nothing known of any splice or close."""
    bare = market(seed)
    prices = bare.prices.copy()
    for row in range(FIRST - 1, -1, -1):
        days = (DAYS[row + 1] - DAYS[row]).astype(int)
        factor = bare.prices[row + 1, 1] / bare.prices[row, 1] * (1 - FEE * days / 365)
        prices[row, 0] = prices[row + 1, 0] / factor
    return PricePanel(bare.dates, bare.symbols, prices, (PriceBasis.TOTAL_RETURN,) * 3)


BOTH = FixedWeights({"NEW": 0.6, "OTHER": 0.4})
RULES = [
    Rules(),
    Rules(rebalance="monthly", costs=Costs(commission_bps=5, slippage_bps=2)),
    Rules(cash_flows=(CashFlow(amount=100, every="weekly"),), cash_rate=0.02),
    Rules(expense_ratios={"NEW": 0.005}, missing="common"),
]


# -- the numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("strategy", [BOTH, Momentum(["NEW", "OTHER"], look_back=10, skip=0)])
def test_a_run_is_that_of_the_prices_put_together_by_hand(rules: Rules, strategy: Any) -> None:
    found = simulate(spliced_market(), strategy, rules, benchmark="OLD")
    expected = simulate(composed(), strategy, rules, benchmark="OLD")
    np.testing.assert_allclose(found.book.equity, expected.book.equity, rtol=1e-12)
    assert found.benchmark_values is not None
    assert found.fingerprint != expected.fingerprint
    assert expected.proxies == ()


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("start", [None, DAYS[20], DAYS[FIRST], DAYS[60]])
def test_the_ledger_agrees(rules: Rules, start: Any) -> None:
    panel = spliced_market()
    result = simulate(panel, BOTH, rules, start=start)
    assert simulate_ledger(panel, BOTH, rules, start=start).difference(result) <= 1e-9


@pytest.mark.parametrize("start", [DAYS[FIRST], DAYS[60]])
@pytest.mark.parametrize("more", [{"lot_size": 1}, {"dividends": "cash"}])
def test_a_window_of_its_own_prices_is_as_without_a_proxy(start: Any, more: Any) -> None:
    rules = Rules(initial_capital=1e6, **more)
    found = simulate(spliced_market(), BOTH, rules, start=start)
    expected = simulate(market(), BOTH, rules, start=start)
    assert found.book.equity.tolist() == expected.book.equity.tolist()
    assert found.to_dict() == expected.to_dict()
    books = simulate_ledger(spliced_market(), BOTH, rules, start=start)
    assert books.difference(found) <= 1e-9
    assert found.change_of_value.unexplained() <= 1e-12


def test_a_proxy_of_adjusted_closes_leaves_no_trace_in_a_window_of_own_closes() -> None:
    """It is in no result then, so a run that is computed again does not know of it."""
    bare = market()
    old = bare.series("OLD")
    adjusted = PriceSeries.from_adjusted_closes("OLD", old.dates, old.prices)
    series = [bare.series("NEW"), adjusted, bare.series("OTHER")]
    panel = PricePanel.from_series(series).spliced("NEW", before="OLD")
    for strategy in (BOTH, Momentum(["NEW", "OTHER"], look_back=10, skip=0)):
        found = simulate(panel, strategy, benchmark="NEW", start=DAYS[60])
        expected = simulate(bare, strategy, benchmark="NEW", start=DAYS[60])
        assert found.proxies == ()
        assert found.fingerprint == expected.fingerprint
        assert found.to_dict() == expected.to_dict()
        # where the proxy is looked at, the run says that it has adjusted closes
        earlier = simulate(panel, strategy, start=DAYS[FIRST - 5])
        assert "NEW: only the vendor's adjusted closes" in "".join(earlier.notes)


@pytest.mark.parametrize("more", [{"lot_size": 1}, {"dividends": "cash"}])
def test_shares_are_known_in_the_window_though_not_in_what_is_looked_at(more: Any) -> None:
    # its first decision looks at prices from row 25 on, 15 of them the proxy's
    strategy = Momentum(["NEW", "OTHER"], look_back=20, skip=0)
    rules = Rules(initial_capital=1e6, **more)
    panel = spliced_market()
    result = simulate(panel, strategy, rules, start=DAYS[45])
    assert result.window.start == DAYS[45].item()
    books = simulate_ledger(panel, strategy, rules, start=DAYS[45])
    assert books.difference(result) <= 1e-9
    assert result.change_of_value.unexplained() <= 1e-12
    assert not any("closes are not known" in note for note in result.notes)
    # the closes that the run used are in its fingerprint
    assert panel.quotes is not None
    closes = panel.quotes.closes.copy()
    closes[50, 0] += 1
    changed = panel.with_prices(panel.prices, closes=closes)
    again = simulate(changed, strategy, rules, start=DAYS[45])
    assert again.price_fingerprints["NEW"] != result.price_fingerprints["NEW"]
    assert again.price_fingerprints["OTHER"] == result.price_fingerprints["OTHER"]


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), start=st.integers(0, 90), lot=st.sampled_from([None, 1]))
def test_any_window_agrees_with_the_ledger(seed: int, start: int, lot: float | None) -> None:
    panel, rules = spliced_market(seed), Rules(lot_size=lot, rebalance="weekly")
    result = simulate(panel, BOTH, rules, start=DAYS[start])
    assert simulate_ledger(panel, BOTH, rules, start=DAYS[start]).difference(result) <= 1e-9
    assert sum(share.sessions for share in result.proxies) == max(0, FIRST - start)


# -- what cannot be --------------------------------------------------------------------------------


def test_no_dividends_in_cash_of_a_proxy() -> None:
    panel, rules = spliced_market(), Rules(dividends="cash")
    for run in (simulate, simulate_ledger):
        with pytest.raises(NoClosesError) as caught:
            run(panel, BOTH, rules, start=DAYS[20])
        assert str(caught.value) == (
            "NEW has total-return prices only before 2021-03-01, where they are those of OLD, in "
            "which dividends are reinvested already: they cannot be kept as cash (start on "
            "2021-03-01 or later, or reinvest the dividends)"
        )
    bare = PricePanel(DAYS, ("A",), np.ones((SESSIONS, 1)), (PriceBasis.TOTAL_RETURN,))
    with pytest.raises(NoClosesError, match="A has total-return prices only, in which"):
        simulate(bare, BuyAndHold({"A": 1.0}), rules)


def test_lots_of_a_proxy_are_no_shares() -> None:
    result = simulate(spliced_market(), BOTH, Rules(lot_size=1), start=DAYS[20])
    assert (
        "NEW: closes are not known, so lots count units of the total-return prices, not shares"
        in result.notes
    )
    assert (
        "NEW: before 2021-03-01 its prices are those of OLD; a window that begins on that day or "
        "later counts shares, if closes are known" in result.notes
    )


# -- what is said ----------------------------------------------------------------------------------


def test_the_share_of_the_window() -> None:
    # rows 20 to 39 of 20 to 99
    result = simulate(spliced_market(), BOTH, start=DAYS[20])
    assert result.proxies == (ProxyShare("NEW", "OLD", SPLICE, FEE, 20, 0.25, 0),)
    said = "NEW: 20 of 80 sessions (25.0 %) are proxy data of OLD, before 2021-03-01, at a fee of"
    assert result.warnings[0] == f"{said} 1 % a year"
    data = json.loads(json.dumps(result.to_dict()))
    assert data["proxies"] == [
        {
            "symbol": "NEW",
            "proxy": "OLD",
            "splice_date": "2021-03-01",
            "annual_fee": 0.01,
            "sessions": 20,
            "share": 0.25,
            "sessions_before": 0,
        }
    ]
    assert splices_of(data["proxies"]) == {"NEW": Splice("NEW", "OLD", SPLICE, FEE)}


def test_all_of_a_window_before_the_splice() -> None:
    (share,) = simulate(spliced_market(), BOTH, end=DAYS[30]).proxies
    assert (share.sessions, share.share) == (31, 1.0)


def test_nothing_is_said_where_nothing_is_a_proxys() -> None:
    for result in (
        simulate(spliced_market(), BOTH, start=DAYS[FIRST]),
        simulate(spliced_market(), BuyAndHold({"OTHER": 1.0}), benchmark="OLD"),
    ):
        assert result.proxies == ()
        assert result.to_dict()["proxies"] == []
        assert not any("proxy" in warning for warning in result.warnings)


def test_a_benchmark_with_a_proxy() -> None:
    result = simulate(spliced_market(), BuyAndHold({"OTHER": 1.0}), benchmark="NEW")
    (share,) = result.proxies
    assert (share.symbol, share.sessions, share.share) == ("NEW", 40, 0.4)
    assert any(note.startswith("NEW: 40 of 100 sessions (40.0 %) are") for note in result.warnings)


def test_what_a_strategy_looked_at_before_the_window() -> None:
    strategy = Momentum(["NEW", "OTHER"], look_back=20, skip=0)
    result = simulate(spliced_market(), strategy, start=DAYS[45])
    # 21 prices up to row 45: rows 25 to 44 before the window, of which 25 to 39 are OLD's
    (share,) = result.proxies
    assert (share.sessions, share.share, share.sessions_before) == (0, 0.0, 15)
    assert result.warnings[0] == (
        "NEW: before the window 15 of the sessions that the strategy may look at are proxy data of "
        "OLD, before 2021-03-01, at a fee of 1 % a year"
    )
    # of no matter to a benchmark, at which no strategy looks
    other = Momentum(["OLD", "OTHER"], look_back=20, skip=0)
    assert simulate(spliced_market(), other, start=DAYS[45], benchmark="NEW").proxies == ()


def chain() -> PricePanel:
    """NEW from row 40 on, MIDDLE from 10 on, OLDEST all the time."""
    bare = market()
    series = [bare.series(symbol) for symbol in bare.symbols]
    middle = PriceSeries("MIDDLE", DAYS[10:], bare.prices[10:, 2], PriceBasis.TOTAL_RETURN)
    panel = PricePanel.from_series([*series, middle])
    first = panel.spliced("MIDDLE", before="OTHER", annual_fee=0.02)
    return first.spliced("NEW", before="MIDDLE", annual_fee=FEE)


def test_a_chain_counts_each_session_once() -> None:
    result = simulate(chain(), BuyAndHold({"NEW": 1.0}))
    middle = DAYS[10].item()
    assert result.proxies == (
        ProxyShare("NEW", "MIDDLE", SPLICE, FEE, 30, 0.3, 0),
        ProxyShare("NEW", "OTHER", middle, 0.02, 10, 0.1, 0),
    )
    assert [warning[:40] for warning in result.warnings[:2]] == [
        "NEW: 30 of 100 sessions (30.0 %) are pro",
        "NEW: 10 of 100 sessions (10.0 %) are pro",
    ]
    stored = json.loads(json.dumps(result.to_dict()["proxies"]))
    earlier = Splice("MIDDLE", "OTHER", middle, 0.02)
    assert splices_of(stored) == {"NEW": Splice("NEW", "MIDDLE", SPLICE, FEE, earlier)}
    # the first link is there, though the window is over before: its fee was taken
    ended = simulate(chain(), BuyAndHold({"NEW": 1.0}), end=DAYS[5]).proxies
    assert [share.sessions for share in ended] == [0, 6]
    assert splices_of([share.to_dict() for share in ended]) == splices_of(stored)


def test_many_runs_say_it_too() -> None:
    panel = spliced_market()
    strategies = [BOTH, EqualWeight(["NEW", "OTHER"]), BuyAndHold({"OTHER": 1.0})]
    for rules in (Rules(), Rules(lot_size=1)):
        found = simulate_many(panel, strategies, rules, start=DAYS[20])
        alone = [simulate(panel, one, rules, start=DAYS[20]) for one in strategies]
        for number, result in enumerate(alone):
            expected = pytest.approx(result.metrics.total_return, rel=1e-10)
            assert found.values["total_return"][number] == expected
        (said,) = [text for text in found.warnings if "proxy data of OLD" in text]
        assert "NEW: 20 of 80 sessions (25.0 %)" in said


def test_missing_prices_of_a_proxy_are_completed_as_any() -> None:
    panel = spliced_market()
    prices = panel.prices.copy()
    prices[25, 0] = prices[60, 0] = np.nan
    assert panel.quotes is not None
    quotes = [getattr(panel.quotes, name).copy() for name in ("closes", "dividends", "splits")]
    for values, none in zip(quotes, (np.nan, 0.0, 1.0), strict=True):
        values[60, 0] = none
    holed = replace(panel, prices=prices, quotes=type(panel.quotes)(*quotes))
    rules = Rules(missing="ffill:1")
    result = simulate(holed, BOTH, rules, start=DAYS[20])
    assert result.proxies[0].sessions == 20
    assert simulate_ledger(holed, BOTH, rules, start=DAYS[20]).difference(result) <= 1e-9
    own = simulate(holed, BOTH, Rules(missing="ffill:1", dividends="cash"), start=DAYS[50])
    assert own.proxies == ()


def test_shares_of_two_panels() -> None:
    panel = spliced_market()
    assert proxy_shares(panel.rows(50, None), panel.select(["OTHER"])) == ()
