"""Runs that may be ruined: wild prices, high costs and leverage, large flows, small capitals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etf_backtest.errors import CostsError
from etf_backtest.market import PricePanel, PriceSeries
from etf_backtest.simulation import Bands, CashFlow, Costs, Rebalancing, Rules, simulate
from etf_backtest.simulation.result import SimulationResult
from etf_backtest.strategies import FixedWeights
from tests.unit.simulation.any_runs import SYMBOLS, seeds, share_prices

costs = st.builds(
    Costs,
    commission_bps=st.sampled_from((0.0, 100.0, 1000.0)),
    commission_fixed=st.sampled_from((0.0, 3.0, 40.0)),
    commission_min=st.sampled_from((0.0, 20.0)),
    commission_per_share=st.sampled_from((0.0, 0.1)),
    slippage_bps=st.sampled_from((0.0, 1000.0)),
)
flows = st.one_of(
    st.builds(CashFlow, amount=st.floats(-400, 400), every=st.sampled_from(("daily", "weekly"))),
    st.builds(
        CashFlow,
        percent=st.floats(-0.9, 1) | st.just(-1.0),
        every=st.sampled_from(("daily", "weekly")),
    ),
)
rebalancings = st.builds(
    Rebalancing,
    period=st.sampled_from(("never", "daily", "weekly")),
    bands=st.none() | st.builds(Bands, absolute=st.floats(0.01, 0.3)),
    cashflow=st.booleans(),
)


@st.composite
def rules(draw: st.DrawFn) -> Rules:
    leverage = draw(st.sampled_from((1.0, 3.0)))
    return Rules(
        initial_capital=1000,
        rebalance=draw(rebalancings),
        lag=draw(st.integers(0, 2)),
        costs=draw(st.just(Costs()) | costs),
        cash_flows=draw(st.lists(flows, max_size=2)),
        dividends=draw(st.sampled_from(("reinvest", "cash"))),
        lot_size=draw(st.sampled_from((None, 1.0, 5.0))),
        max_leverage=leverage,
        borrow_rate=0.3 if leverage > 1 else None,
        cash_rate=0.05,
    )


def wild(seed: int, sessions: int = 40) -> PricePanel:
    generator = np.random.default_rng(seed)
    dates = np.busday_offset("2021-01-04", np.arange(sessions), roll="forward")
    series = []
    for symbol in SYMBOLS:
        level = 20 * np.exp(np.cumsum(generator.standard_t(3, sessions) * 0.08))
        ratios = np.where(generator.random(sessions) < 0.05, 0.1, 1.0)
        paid = generator.random(sessions) < 0.1
        closes = level / np.cumprod(ratios)
        series.append(
            PriceSeries.from_closes(
                symbol,
                dates,
                closes,
                dividends=np.where(paid, 0.1 * closes, 0.0),
                splits=ratios,
                split_adjusted=False,
            )
        )
    return PricePanel.from_series(series)


@st.composite
def runs(draw: st.DrawFn) -> SimulationResult | None:
    chosen = draw(rules())
    parts = draw(st.lists(st.integers(0, 100), min_size=4, max_size=4))
    scale = max(1.0, sum(parts) / (100 * chosen.max_leverage))
    weights = {name: part / 100 / scale for name, part in zip(SYMBOLS, parts, strict=True)}
    try:
        return simulate(wild(draw(seeds)), FixedWeights(weights), chosen)
    except CostsError:
        return None


@settings(deadline=None, max_examples=300)
@given(runs())
def test_the_books_are_right_to_the_end(result: SimulationResult | None) -> None:
    if result is None:
        return
    book, borrows = result.book, result.rules.max_leverage > 1
    value = book.cash + (result.shares.to_numpy() * share_prices(result)).sum(axis=1)
    # what is borrowed may be more than the value: rounding is that of the larger
    scale = float(np.abs(book.units * result.units.prices[: len(book.units)]).max()) + 1000
    np.testing.assert_allclose(book.equity, value, rtol=1e-12, atol=1e-12 * scale)
    parts = result.change_of_value
    explained = parts.price_change + parts.dividends + parts.interest + parts.flows - parts.costs
    np.testing.assert_allclose(explained, parts.change, atol=1e-11 * scale)
    assert book.units.min() >= 0
    assert (book.equity[:-1] > 0).all()
    if not borrows:
        assert book.cash.min() >= 0
    paid = np.zeros(book.equity.size)
    np.add.at(paid, book.fills, (book.commission + book.slippage).sum(axis=1))
    np.testing.assert_allclose(book.costs, paid, atol=1e-12 * scale)
    check_the_end(result)


def check_the_end(result: SimulationResult) -> None:
    book, borrows = result.book, result.rules.max_leverage > 1
    asked = result.prepared.window.dates.size
    if book.ruin is None:
        assert book.equity.size == asked
        assert book.equity[-1] > 0
        assert result.ruin_date is None
    elif book.ruin == "withdrawal":
        assert book.equity[-1] == 0
        assert book.equity.size < asked
        assert book.flows[-1] <= 0
        assert not book.units[-1].any()
    else:
        assert borrows
        assert book.equity[-1] <= 0
        assert result.metrics.total_return == pytest.approx(-1.0)
    assert result.metrics.total_return is not None
    assert result.metrics.total_return >= -1
    result.to_dict()
