"""Markets, strategies and rules of every kind, drawn by hypothesis."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, get_args

import numpy as np
from hypothesis import strategies as st

from etf_backtest.market import PriceBasis, PricePanel, PriceSeries
from etf_backtest.market.rates import DatedRates
from etf_backtest.simulation import (
    Bands,
    CashFlow,
    Costs,
    Rebalancing,
    Rules,
    SimulationResult,
    simulate,
)
from etf_backtest.strategies import (
    STRATEGIES,
    BuyAndHold,
    EqualWeight,
    FixedWeights,
    Momentum,
    Rebalance,
    Strategy,
)
from etf_backtest.typing import FloatArray

REBALANCES: tuple[Rebalance, ...] = get_args(Rebalance)
SYMBOLS = ("A", "B", "C", "D")
START = 10
"""Sessions of history before the window of `Run.result`."""

seeds = st.integers(0, 2**32 - 1)
allocations = st.lists(st.integers(0, 100), min_size=4, max_size=4).map(
    lambda parts: {
        symbol: part / max(100, sum(parts)) for symbol, part in zip(SYMBOLS, parts, strict=True)
    }
)
"""Fractions of which the sum is at most 1."""


# -- markets ---------------------------------------------------------------------------------------


def walk(seed: int, sessions: int = 120) -> PricePanel:
    """A random walk of four symbols over business days, total-return prices alone."""
    generator = np.random.default_rng(seed)
    prices = 100 * np.exp(np.cumsum(generator.normal(0, 0.02, (sessions, 4)), axis=0))
    dates = np.busday_offset("2021-01-04", np.arange(sessions), roll="forward")
    return PricePanel(dates, SYMBOLS, prices, (PriceBasis.TOTAL_RETURN,) * 4)


def quoted(
    seed: int, sessions: int = 120, *, known: Sequence[str] = SYMBOLS, splits: bool = True
) -> PricePanel:
    """A random walk with dividends, and splits, of the symbols whose closes are known."""
    generator = np.random.default_rng(seed)
    dates = np.busday_offset("2021-01-04", np.arange(sessions), roll="forward")
    series = []
    for symbol in SYMBOLS:
        level = 100 * np.exp(np.cumsum(generator.normal(0, 0.02, sessions)))
        ratios = np.where(
            generator.random(sessions) < (0.03 if splits else 0.0),
            generator.choice([2.0, 3.0, 1.5, 0.5, 0.1], sessions),
            1.0,
        )
        closes = level / np.cumprod(ratios)
        pays = generator.random(sessions) < 0.05
        dividends = np.where(pays, closes * generator.uniform(0, 0.03, sessions), 0.0)
        if symbol in known:
            series.append(
                PriceSeries.from_closes(
                    symbol, dates, closes, dividends=dividends, splits=ratios, split_adjusted=False
                )
            )
        else:
            series.append(PriceSeries(symbol, dates, level, PriceBasis.TOTAL_RETURN))
    return PricePanel.from_series(series)


# -- strategies ------------------------------------------------------------------------------------


def built(name: str, draw: st.DrawFn, **parameters: Any) -> Strategy:
    """A registered strategy for all symbols, with weights if it takes some."""
    kind: Any = STRATEGIES[name]
    about = draw(allocations) if kind.uses_allocations else SYMBOLS
    strategy: Strategy = kind(about, **parameters)
    return strategy


def again(draw: st.DrawFn) -> Rebalance:
    return draw(st.sampled_from(REBALANCES))


BUILDERS: dict[str, Callable[[st.DrawFn], Strategy]] = {
    "buy_and_hold": lambda draw: BuyAndHold(draw(allocations)),
    "fixed_weights": lambda draw: FixedWeights(draw(allocations), rebalance=again(draw)),
    "equal_weight": lambda draw: EqualWeight(SYMBOLS, rebalance=again(draw)),
    "momentum": lambda draw: Momentum(
        SYMBOLS,
        look_back=draw(st.integers(1, 30)),
        skip=draw(st.integers(0, 5)),
        top_n=draw(st.integers(1, 4)),
        rebalance=again(draw),
    ),
    "dual_momentum": lambda draw: built(
        "dual_momentum",
        draw,
        safe=draw(st.sampled_from((None, "D"))),
        look_back=draw(st.integers(1, 30)),
        top_n=draw(st.integers(1, 3)),
        rebalance=again(draw),
    ),
    "moving_average": lambda draw: built(
        "moving_average",
        draw,
        average=draw(st.sampled_from(("simple", "exponential"))),
        window=draw(st.integers(2, 30)),
        tolerance=draw(st.sampled_from((0.0, 0.01))),
        rebalance=again(draw),
    ),
    "inverse_volatility": lambda draw: built(
        "inverse_volatility", draw, look_back=draw(st.integers(2, 30)), rebalance=again(draw)
    ),
    "equal_risk_contribution": lambda draw: built(
        "equal_risk_contribution", draw, look_back=draw(st.integers(8, 30)), rebalance=again(draw)
    ),
    "volatility_target": lambda draw: built(
        "volatility_target", draw, look_back=draw(st.integers(2, 30)), rebalance=again(draw)
    ),
}
"""How each registered strategy is drawn; those of SLOW are drawn seldom."""
SLOW: dict[str, Callable[[st.DrawFn], Strategy]] = {
    "minimum_variance": lambda draw: built(
        "minimum_variance", draw, look_back=draw(st.integers(20, 30))
    ),
    "maximum_sharpe": lambda draw: built(
        "maximum_sharpe", draw, look_back=draw(st.integers(20, 30))
    ),
}


@st.composite
def registered(draw: st.DrawFn) -> Strategy:
    """Any registered strategy that is quick."""
    return draw(st.sampled_from(list(BUILDERS.values())))(draw)


@st.composite
def slow(draw: st.DrawFn) -> Strategy:
    """Any registered strategy that is not."""
    return draw(st.sampled_from(list(SLOW.values())))(draw)


# -- rules -----------------------------------------------------------------------------------------

proportional_costs = st.builds(
    Costs,
    commission_bps=st.sampled_from((0.0, 5.0, 100.0)),
    slippage_bps=st.sampled_from((0.0, 2.0, 50.0)),
)
any_costs = st.one_of(
    proportional_costs,
    st.builds(
        Costs,
        commission_bps=st.sampled_from((0.0, 5.0)),
        commission_fixed=st.sampled_from((0.0, 1.0, 7.5)),
        commission_min=st.sampled_from((0.0, 5.0)),
        commission_per_share=st.sampled_from((0.0, 0.01)),
        slippage_bps=st.sampled_from((0.0, 10.0)),
    ),
)
any_bands = st.one_of(
    st.builds(Bands, absolute=st.floats(0.005, 0.1)),
    st.builds(Bands, relative=st.floats(0.02, 0.5)),
    st.builds(Bands, absolute=st.floats(0.005, 0.1), relative=st.floats(0.02, 0.5)),
)


@st.composite
def any_rebalancing(draw: st.DrawFn) -> Rebalancing | None:
    """The strategy's own, or any mixture."""
    if draw(st.booleans()):
        return None
    period = draw(st.sampled_from(REBALANCES))
    return Rebalancing(
        period=period,
        offset=draw(st.integers(0, 7)) if period not in ("never", "daily") else 0,
        bands=draw(st.none() | any_bands),
        cashflow=draw(st.booleans()),
    )


@st.composite
def any_cash_flow(draw: st.DrawFn, capital: float) -> CashFlow:
    """Small enough not to ruin anybody: 120 sessions, at most 1 % of the capital a week."""
    dates = st.dates(dt.date(2021, 1, 1), dt.date(2021, 7, 1))
    when: dict[str, Any] = (
        {"on": draw(dates)}
        if draw(st.booleans())
        else {
            "every": draw(st.sampled_from(("weekly", "monthly", "quarterly"))),
            "offset": draw(st.integers(0, 4)),
            "start": draw(st.none() | st.just(dt.date(2021, 2, 1))),
            "end": draw(st.none() | st.just(dt.date(2021, 6, 1))),
        }
    )
    if draw(st.booleans()):
        return CashFlow(percent=draw(st.floats(-0.02, 0.05)), **when)
    amount = draw(st.floats(-0.01, 0.05)) * capital
    return CashFlow(amount=amount, inflation=draw(st.sampled_from((0.0, 0.03))), **when)


rates = st.one_of(
    st.floats(0, 0.1),
    st.builds(
        lambda first, second: DatedRates(
            (dt.date(2020, 1, 1), dt.date(2021, 3, 1)), (first, second)
        ),
        st.floats(0, 0.1),
        st.floats(0, 0.1),
    ),
)
bare_rules = st.builds(
    Rules,
    initial_capital=st.floats(1, 1e9),
    rebalance=st.sampled_from((None, *REBALANCES)),
    lag=st.sampled_from((None, 0, 1, 3)),
    costs=proportional_costs,
    cash_rate=st.floats(-0.02, 0.1),
)
"""Rules under which everything is proportional to the capital and nothing happens between fills."""


class Run:
    """All that a run needs; `market` says how the panel was made, for a reader of a failure."""

    def __init__(
        self, panel: PricePanel, strategy: Strategy, rules: Rules, market: str = ""
    ) -> None:
        self.panel, self.strategy, self.rules, self.market = panel, strategy, rules, market

    def __repr__(self) -> str:
        rules = self.rules.model_dump(exclude_defaults=True)
        return f"Run({self.market}, {self.strategy.to_dict()}, {rules})"

    def result(self, **changes: Any) -> SimulationResult:
        """Of the run, or of one that differs in some of its rules."""
        rules = Rules.model_validate({**dict(self.rules), **changes})
        return simulate(self.panel, self.strategy, rules, start=self.panel.dates[START])


@st.composite
def any_run(
    draw: st.DrawFn,
    *,
    lots: bool = True,
    leverage: bool = True,
    splits: bool = True,
    costs: st.SearchStrategy[Costs] = any_costs,
) -> Run:
    """Everything that rules can say, together."""
    capital = draw(st.sampled_from((1e5, 1e6)))
    market = draw(st.sampled_from(("walk", "quoted", "mixed")))
    seed = draw(seeds)
    if market == "walk":
        panel = walk(seed)
    else:
        panel = quoted(seed, known=SYMBOLS if market == "quoted" else ("A", "C"), splits=splits)
    borrows = leverage and draw(st.booleans())
    strategy = draw(registered())
    if borrows:
        parts = draw(st.lists(st.integers(0, 45), min_size=4, max_size=4))
        weights = dict(zip(SYMBOLS, (part / 100 for part in parts), strict=True))
        strategy = FixedWeights(weights, rebalance=draw(st.sampled_from(REBALANCES)))
    rules = Rules(
        initial_capital=capital,
        rebalance=draw(any_rebalancing()),
        lag=draw(st.sampled_from((None, 0, 1, 3))),
        costs=draw(costs),
        cash_flows=draw(st.lists(any_cash_flow(capital), max_size=2)),
        dividends=draw(st.sampled_from(("reinvest", "cash"))) if market == "quoted" else "reinvest",
        lot_size=draw(st.sampled_from((None, 1.0, 10.0))) if lots else None,
        max_leverage=2.0 if borrows else 1.0,
        borrow_rate=draw(rates) if borrows else None,
        cash_rate=draw(rates),
        expense_ratios=draw(st.sampled_from(({}, {"A": 0.01}))),
    )
    return Run(panel, strategy, rules, f"{market} {seed}, splits {splits}")


def share_prices(result: SimulationResult) -> FloatArray:
    """Close of each symbol on each session of a result; total-return prices where unknown."""
    quotes = result.panel.quotes
    if quotes is None:
        return result.panel.prices
    return np.where(np.isnan(quotes.closes), result.panel.prices, quotes.closes)
