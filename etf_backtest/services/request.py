"""What a backtest needs, checked before anything is stored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Required, TypedDict, Unpack

from etf_backtest.database.price_store import coverage
from etf_backtest.errors import InvalidParametersError, NoPricesError
from etf_backtest.services.cached_prices import load_cached_prices
from etf_backtest.services.fitting import fit
from etf_backtest.services.portfolios import check_capital, check_name, find_portfolio
from etf_backtest.services.strategies import build_stored, find_strategy
from etf_backtest.services.written import meant
from etf_backtest.simulation import Rebalancing, Rules, check_risk_free

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import Portfolio
    from etf_backtest.database.models import Strategy as StrategyRow
    from etf_backtest.database.price_store import DataState
    from etf_backtest.market import MissingPolicy, PricePanel
    from etf_backtest.market.rates import DatedRates
    from etf_backtest.services.acting import Actor
    from etf_backtest.services.price_panel import FittedWindow, LoadedPrices
    from etf_backtest.strategies import Rebalance, Strategy

LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for, by name; rules are complete but for the portfolio's capital."""

    portfolio: str
    strategy: str
    rules: Rules
    start: dt.date | None
    end: dt.date | None
    benchmark: str | None
    name: str | None
    risk_free: float | DatedRates
    rebalance_offset: int | None = None
    proxies: bool = True


class RunArguments(TypedDict, total=False):
    """The arguments of `run_backtest` that say what to run; portfolio and strategy are needed."""

    portfolio: Required[str]
    strategy: Required[str]
    rules: Rules | None
    start: dt.date | None
    end: dt.date | None
    benchmark: str | None
    name: str | None
    risk_free: float | DatedRates
    initial_capital: Decimal | float | None
    rebalance: Rebalance | None
    lag: int | None
    cash_rate: float | DatedRates | None
    missing: MissingPolicy | None
    rebalance_offset: int | None
    proxies: bool


@dataclass(frozen=True, slots=True)
class Request:
    """All that a run needs, checked."""

    actor: Actor
    title: str
    portfolio: Portfolio
    strategy_row: StrategyRow
    strategy: Strategy
    rules: Rules
    capital: Decimal
    benchmark: str | None
    risk_free: float | DatedRates
    panel: PricePanel
    prices: DataState
    window: FittedWindow
    start: dt.date
    """As it was asked for; what the window makes of it are sessions."""
    end: dt.date
    proxies: bool
    notes: tuple[str, ...]


def asked_for(**given: Unpack[RunArguments]) -> Asked:
    """What the arguments of `run_backtest` ask for.

    Raises
    ------
    InvalidParametersError, InvalidPortfolioError
        A rule is given twice or out of bounds; the capital cannot be used.
    """
    capital = given.get("initial_capital")
    if capital is not None:
        check_capital(Decimal(str(capital)))
    single = {key: given.get(key) for key in ("rebalance", "lag", "cash_rate", "missing")}
    return Asked(
        given["portfolio"],
        given["strategy"],
        rules_with(given.get("rules"), initial_capital=capital, **single),
        given.get("start"),
        given.get("end"),
        given.get("benchmark"),
        given.get("name"),
        given.get("risk_free", 0.0),
        given.get("rebalance_offset"),
        given.get("proxies", True),
    )


def rules_with(rules: Rules | None, **given: object) -> Rules:
    """Rules with single ones given beside them, where they are not None.

    Raises
    ------
    InvalidParametersError
        A rule is given twice, or one is out of bounds.
    """
    fields = {} if rules is None else {key: getattr(rules, key) for key in rules.model_fields_set}
    beside = {key: value for key, value in given.items() if value is not None}
    if twice := [key for key in beside if key in fields]:
        raise InvalidParametersError(
            "run_backtest",
            [f"{key}: given in the rules and as an argument" for key in twice],
            accepted=("each rule once",),
        )
    return Rules.model_validate({**fields, **beside})


def with_offset(rules: Rules, strategy: Strategy, offset: int) -> Rules:
    """The rules with the strategy's own calendar, so many sessions later.

    Raises
    ------
    InvalidParametersError
        The strategy's calendar has no periods, or the rules have one of their own.
    """
    problem = None
    if rules.rebalance is not None:
        problem = "the rules say when to rebalance: give the offset there"
    elif strategy.rebalance in ("never", "daily"):
        problem = (
            f"{strategy.name} rebalances {strategy.rebalance}, which has no end of a period to "
            "count from: say when to rebalance as well, monthly for one"
        )
    if problem is not None:
        raise InvalidParametersError("rebalance_offset", [problem])
    moved = Rebalancing(period=strategy.rebalance, offset=offset)
    return rules.model_copy(update={"rebalance": moved})


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the rows of the database say about a run, checked; its strategy is not built yet."""

    actor: Actor
    title: str
    portfolio: Portfolio
    strategy_row: StrategyRow
    rules: Rules
    capital: Decimal
    benchmark: str | None
    risk_free: float | DatedRates

    @property
    def allocations(self) -> dict[str, float]:
        """The portfolio's symbols and fractions."""
        return {h.symbol: float(h.allocation) for h in self.portfolio.holdings or []}


async def choose(db: Database, asked: Asked, actor: Actor) -> Chosen:
    """Find what somebody may run, and what on; nobody's strategy is imported for that.

    Raises
    ------
    NotFoundError, OthersPortfolioError, InvalidParametersError, InvalidPortfolioError, RateError
        What was asked for cannot be.
    """
    portfolio = await find_portfolio(db, asked.portfolio, to="run", user=actor)
    strategy_row = await find_strategy(db, asked.strategy, to="run", user=actor)
    capital = portfolio.initialCapital
    if "initial_capital" in asked.rules.model_fields_set:
        capital = Decimal(repr(asked.rules.initial_capital))
    check_capital(capital)
    risk_free = check_risk_free(asked.risk_free)
    title = (asked.name or f"{portfolio.name}: {strategy_row.name}")[:LONGEST_NAME]
    check_name(title if asked.name is None else asked.name)
    return Chosen(
        actor=actor,
        title=title,
        portfolio=portfolio,
        strategy_row=strategy_row,
        rules=asked.rules.model_copy(update={"initial_capital": float(capital)}),
        capital=capital,
        benchmark=None if asked.benchmark is None else asked.benchmark.upper(),
        risk_free=risk_free,
    )


async def prices_of(
    db: Database, traded: Sequence[str], benchmark: str | None, *, proxies: bool
) -> LoadedPrices:
    """The prices of what is traded and compared with.

    Raises
    ------
    NoPricesError, SpliceError
        Nothing is stored of a symbol, or nothing that can be used; with those that may be meant.
    """
    symbols = [*traded, *([] if benchmark is None else [benchmark])]
    try:
        return await load_cached_prices(db.url, symbols, cache=db.panels, proxies=proxies)
    except NoPricesError as error:
        raise await _with_suggestion(db, error, traded, benchmark) from None


async def check_request(db: Database, asked: Asked, actor: Actor) -> Request:
    """Find and check everything that a run of somebody's needs; nothing is written.

    Raises
    ------
    NotFoundError, OthersPortfolioError, InvalidParametersError, InvalidPortfolioError, \
    NoPricesError, NoClosesError, MissingPricesError, UnknownSymbolError, RateError, SpliceError, \
    WindowError, UncoveredWindowError
        What was asked for cannot be.
    """
    chosen = await choose(db, asked, actor)
    strategy, rules = build_stored(chosen.strategy_row, chosen.allocations), chosen.rules
    if asked.rebalance_offset is not None:
        rules = with_offset(rules, strategy, asked.rebalance_offset)
    prices = await prices_of(db, strategy.symbols, chosen.benchmark, proxies=asked.proxies)
    fitted = fit(
        prices,
        strategy,
        rules,
        chosen.allocations,
        benchmark=chosen.benchmark,
        risk_free=chosen.risk_free,
        start=asked.start,
        end=asked.end,
    )
    return Request(
        actor=actor,
        title=chosen.title,
        portfolio=chosen.portfolio,
        strategy_row=chosen.strategy_row,
        strategy=strategy,
        rules=rules,
        capital=chosen.capital,
        benchmark=chosen.benchmark,
        risk_free=chosen.risk_free,
        panel=prices.panel,
        prices=prices.state,
        window=fitted.window,
        start=asked.start or fitted.window.start,
        end=asked.end or fitted.window.end,
        proxies=asked.proxies,
        notes=fitted.notes,
    )


async def _with_suggestion(
    db: Database, error: NoPricesError, traded: Sequence[str], benchmark: str | None
) -> NoPricesError:
    """The error, with the symbols that may have been meant, where nothing is stored of one."""
    known = [each.symbol for each in await coverage(db.url)]
    if error.symbol in known:
        return error
    near = meant(error.symbol, known)
    remedy = ", or ".join(part for part in (near.rstrip("?"), error.remedy) if part)
    is_benchmark = error.symbol == benchmark and error.symbol not in traded
    what = "the benchmark has no prices" if is_benchmark else "no prices are stored"
    return NoPricesError(error.symbol, what, remedy=remedy)
