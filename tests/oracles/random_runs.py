"""Random markets, rules and strategies: what the float64 kernel and the Decimal ledger both run."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from etf_backtest.market import ForwardFill, PricePanel, PriceSeries
from etf_backtest.market.rates import DatedRates
from etf_backtest.simulation import Bands, CashFlow, Costs, Rebalancing, Rules
from etf_backtest.strategies import (
    BuyAndHold,
    EqualWeight,
    FixedWeights,
    Momentum,
    Rebalance,
    Strategy,
)
from etf_backtest.strategies.inverse_volatility import InverseVolatility
from etf_backtest.strategies.moving_average import MovingAverage
from etf_backtest.strategies.volatility_target import VolatilityTarget
from etf_backtest.typing import DateArray

LETTERS = "ABCDEFGHIJKL"
PERIODS: tuple[Rebalance, ...] = (
    "daily",
    "weekly",
    "monthly",
    "quarterly",
    "semiannual",
    "annual",
)
BEGIN = dt.date(2003, 2, 3)


@dataclass(frozen=True)
class Run:
    """All that `simulate` and `simulate_ledger` take."""

    panel: PricePanel
    strategy: Strategy
    rules: Rules
    start: dt.date | None = None
    end: dt.date | None = None
    benchmark: str | None = None


# -- markets ---------------------------------------------------------------------------------------


def sessions(generator: np.random.Generator, count: int) -> DateArray:
    """Business days without a few of them."""
    days = np.busday_offset(np.datetime64(BEGIN, "D"), np.arange(count * 11 // 10 + 2), "forward")
    return np.sort(generator.choice(days, count, replace=False))


def market(
    seed: int,
    count: int,
    symbols: Sequence[str],
    known: Sequence[bool],
    *,
    split_adjusted: bool = False,
    gaps: bool = False,
) -> PricePanel:
    """Fat-tailed random walks; with closes, dividends and splits of the symbols in `known`."""
    generator = np.random.default_rng(seed)
    dates = sessions(generator, count)
    series = []
    for symbol, has_quotes in zip(symbols, known, strict=True):
        steps = generator.standard_t(4, count) * 0.012 + 0.0003
        level = generator.uniform(5, 300) * np.exp(steps.cumsum())
        kept = generator.random(count) > 0.01 if gaps else np.ones(count, dtype=bool)
        kept[[0, -1]] = True
        if not has_quotes:
            series.append(PriceSeries.from_adjusted_closes(symbol, dates[kept], level[kept]))
            continue
        splits = np.where(
            generator.random(count) < 0.008, generator.choice([2, 3, 1.5, 0.5, 0.25], count), 1.0
        )
        closes = level if split_adjusted else level / splits.cumprod()
        dividends = np.where(
            generator.random(count) < 0.03, closes * generator.uniform(0, 0.02, count), 0.0
        )
        series.append(
            PriceSeries.from_closes(
                symbol,
                dates[kept],
                closes[kept],
                dividends=dividends[kept],
                splits=splits[kept],
                split_adjusted=split_adjusted,
            )
        )
    return PricePanel.from_series(series)


# -- rules -----------------------------------------------------------------------------------------

dates = st.integers(-20, 400).map(lambda days: BEGIN + dt.timedelta(days=days))
rates = st.one_of(
    st.just(0.0),
    st.floats(-0.05, 0.3),
    st.dictionaries(dates, st.floats(-0.05, 0.3), max_size=4).map(
        lambda series: DatedRates.of({dt.date(2000, 1, 1): 0.01, **series})
    ),
)
bands = st.builds(
    lambda absolute, relative: Bands(absolute=absolute, relative=relative),
    st.one_of(st.none(), st.floats(0.002, 0.2)),
    st.floats(0.01, 0.5),
)


def parts(least: float, most: float) -> st.SearchStrategy[float]:
    """Fractions with five decimals: what is below 1e-9 of the value is rounding, and not tested."""
    return st.floats(least, most).map(lambda part: round(part, 5))


@st.composite
def rebalancings(draw: st.DrawFn) -> Rebalancing | None:
    """The strategy's own, a period with or without offset, bands, new money, or all of them."""
    if draw(st.booleans()):
        return None
    period = draw(st.sampled_from(("never", *PERIODS)))
    may_wait = period not in ("never", "daily")
    return Rebalancing(
        period=period,
        offset=draw(st.sampled_from((0, 0, 1, 3, 25))) if may_wait else 0,
        bands=draw(st.one_of(st.none(), bands)),
        cashflow=draw(st.booleans()),
    )


@st.composite
def costs(draw: st.DrawFn, capital: float) -> Costs:
    """None, proportional, or all kinds; small enough to live with."""
    kind = draw(st.sampled_from(("none", "proportional", "all")))
    if kind == "none":
        return Costs()
    basis_points = st.floats(0, 100)
    ticket = st.floats(0, min(capital * 3e-4, 1e6)) if kind == "all" else st.just(0.0)
    return Costs(
        commission_bps=draw(basis_points),
        slippage_bps=draw(basis_points),
        commission_fixed=draw(ticket),
        commission_min=draw(ticket),
        commission_per_share=draw(st.floats(0, 0.002)) if kind == "all" else 0.0,
    )


@st.composite
def cash_flows(draw: st.DrawFn, capital: float) -> CashFlow:
    """Amounts or fractions, in or out, once or again and again."""
    when: dict[str, object]
    if draw(st.booleans()):
        when = {"on": draw(dates)}
    else:
        every = draw(st.sampled_from(PERIODS))
        offset = 0 if every == "daily" else draw(st.sampled_from((0, 0, 2, 30)))
        when = {"every": every, "offset": offset}
        limits = sorted((draw(dates), draw(dates)))
        if draw(st.booleans()):
            when |= {"start": limits[0], "end": limits[1]}
    size: dict[str, object]
    if draw(st.booleans()):
        # a quarter of them takes out a lot: the money may run out
        part = draw(st.one_of(parts(-0.02, 0.05), parts(-0.02, 0.05), parts(-1.5, 0)))
        size = {"amount": part * capital, "inflation": draw(st.sampled_from((0.0, 0.03, -0.02)))}
    else:
        size = {"percent": draw(st.one_of(parts(-0.05, 0.05), parts(-0.9, 0.5), st.just(-1)))}
    return CashFlow.model_validate(when | size)


@st.composite
def rules(draw: st.DrawFn, symbols: Sequence[str], *, all_known: bool, borrows: bool) -> Rules:
    """Every rule on its own and with the others."""
    capital = draw(st.sampled_from((1.0, 5_000.0, 123_456.78, 1e9)))
    lots = st.sampled_from((1e-4, 0.01, 1.0, 7.0, 100.0))
    priced = st.dictionaries(st.sampled_from(list(symbols)), st.floats(0, 0.2))
    return Rules(
        initial_capital=capital,
        rebalance=draw(rebalancings()),
        lag=draw(st.sampled_from((None, None, 0, 1, 2, 5))),
        costs=draw(costs(capital)),
        cash_flows=tuple(draw(st.lists(cash_flows(capital), max_size=3))),
        dividends=draw(st.sampled_from(("reinvest", "cash"))) if all_known else "reinvest",
        lot_size=draw(st.one_of(st.none(), st.none(), lots)),
        max_leverage=3.0 if borrows else 1.0,
        borrow_rate=draw(rates) if borrows else None,
        cash_rate=draw(rates),
        expense_ratios=draw(st.one_of(st.just({}), priced)),
        missing=ForwardFill(5),
    )


# -- strategies and runs ---------------------------------------------------------------------------


@st.composite
def allocations(draw: st.DrawFn, symbols: Sequence[str], *, most: float) -> dict[str, float]:
    """Fractions that sum to 1, to less, or to more where borrowing is on; some may be 0."""
    shares = draw(st.lists(st.integers(0, 20), min_size=len(symbols), max_size=len(symbols)))
    total = draw(st.sampled_from((1.0, 1.0, 0.7, most)))
    whole = sum(shares) or 1
    return {symbol: total * part / whole for symbol, part in zip(symbols, shares, strict=True)}


@st.composite
def portfolios(draw: st.DrawFn, symbols: Sequence[str], *, borrows: bool) -> Strategy:
    """Strategies of all kinds: fixed, ranked, averaged, scaled."""
    period: Rebalance = draw(st.sampled_from(PERIODS))
    most = draw(st.floats(1, 2.9)) if borrows else 1.0
    fixed = draw(allocations(symbols, most=most))
    look_back = draw(st.sampled_from((1, 5, 40)))
    names = list(symbols)
    kinds: dict[str, Callable[[], Strategy]] = {
        "fixed": lambda: FixedWeights(fixed, rebalance=period),
        "hold": lambda: BuyAndHold(fixed),
        "equal": lambda: EqualWeight(names, rebalance=period),
        "momentum": lambda: Momentum(
            names,
            look_back=look_back,
            skip=draw(st.sampled_from((0, 3))),
            top_n=draw(st.integers(1, len(names))),
            rebalance=period,
        ),
        "average": lambda: MovingAverage(fixed, window=look_back + 1, rebalance=period),
        "inverse": lambda: InverseVolatility(names, look_back=look_back + 5, rebalance=period),
        "target": lambda: VolatilityTarget(
            fixed if sum(fixed.values()) > 0 else {names[0]: 1.0},
            look_back=look_back + 5,
            max_exposure=most,
            rebalance=period,
        ),
    }
    return kinds[draw(st.sampled_from(("fixed", "hold", *kinds)))]()


@st.composite
def runs(draw: st.DrawFn, *, most_sessions: int = 300) -> Run:
    """A market, a strategy and rules that fit each other."""
    symbols = LETTERS[: draw(st.integers(1, 12))]
    quotes = draw(st.sampled_from(("none", "some", "all")))
    known = [
        {"none": False, "all": True}.get(quotes, number % 2 == 0) for number in range(len(symbols))
    ]
    borrows = draw(st.integers(0, 3)) == 0
    count = draw(st.integers(2, most_sessions))
    panel = market(
        draw(st.integers(0, 2**32 - 1)),
        count,
        (*symbols, "Z"),
        (*known, draw(st.booleans())),
        split_adjusted=draw(st.booleans()),
        gaps=draw(st.booleans()),
    )
    first = draw(st.integers(0, min(50, panel.dates.size - 2)))
    last = draw(st.one_of(st.none(), st.integers(first + 1, panel.dates.size - 1)))
    strategy = draw(portfolios(symbols, borrows=borrows))
    chosen = draw(rules(strategy.symbols, all_known=all(known), borrows=borrows))
    return Run(
        panel,
        strategy,
        chosen,
        start=panel.dates[first].item(),
        end=None if last is None else panel.dates[last].item(),
        benchmark=draw(st.sampled_from((None, symbols[0], "Z"))),
    )
