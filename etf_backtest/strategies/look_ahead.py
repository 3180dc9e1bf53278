"""Proof that a strategy does not look ahead: change the future, and no decision may change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, get_args

import numpy as np

from etf_backtest.errors import InvalidParametersError, LookAheadError
from etf_backtest.market import PricePanel
from etf_backtest.market.missing import complete_prices
from etf_backtest.market.periods import period_ends
from etf_backtest.market.sessions import as_date
from etf_backtest.strategies.checks import check_strategy, is_count
from etf_backtest.strategies.strategy import Rebalance, Strategy
from etf_backtest.strategies.symbols import shown
from etf_backtest.strategies.weights import check_targets
from etf_backtest.typing import DateArray, FloatArray, IndexArray

StrategyFactory: TypeAlias = Callable[[PricePanel], Strategy]
"""Builds a strategy from prices, as a notebook would that fits something first."""

_PRICES = (np.finfo(np.float64).tiny, np.finfo(np.float64).max)
_NO_FUTURE = "a decision may follow from the history up to its own session alone"
_NO_STATE = "compute weights from the history alone, and keep nothing between two questions"


@dataclass(frozen=True, slots=True)
class LookAheadProof:
    """What was tried in vain to change a strategy's decisions.

    Attributes
    ----------
    strategy : str
        As it describes itself.
    cuts : tuple of date
        Sessions after which the data were taken away, and replaced.
    decisions : int
        Sessions on which the strategy was asked with all the data.
    comparisons : int
        Decisions that were compared with those, bit for bit.
    """

    strategy: str
    cuts: tuple[dt.date, ...]
    decisions: int
    comparisons: int

    def __str__(self) -> str:
        return (
            f"{self.strategy} does not look ahead: {self.comparisons} decisions with other data "
            f"after {len(self.cuts)} dates, or asked again, were those of all the data"
        )


def prove_no_lookahead(
    strategy: Strategy | StrategyFactory,
    panel: PricePanel,
    *,
    cuts: int = 20,
    seed: int = 0,
    rebalance: Rebalance | None = None,
) -> LookAheadProof:
    """Demand the same decisions whatever comes after them.

    At random dates the data after the date are taken away, and then replaced by different prices;
    all decisions up to the date must be those with all the data, bit for bit. The strategy is also
    asked again, backwards and in a random order, which finds what keeps state; and where it answers
    many questions at once (`targets`), this must be what it answers one by one.

    Parameters
    ----------
    strategy : Strategy, or a function of a PricePanel that returns one
        A function is called with each changed panel. Only so is a strategy found out that was
        fitted to all the prices when it was built, or holds them in a variable of its own.
    panel : PricePanel
        Prices of the strategy's symbols; what they do not share at the ends is left out.
    cuts : int
        How many dates, 1 or more. Each costs up to two more rounds of decisions.
    seed : int
        Of the random dates, prices and order.
    rebalance : Rebalance, optional
        When the strategy is asked; its own `rebalance` by default. The dates themselves are added.

    Returns
    -------
    LookAheadProof

    Raises
    ------
    LookAheadError
        Naming the date, the symbol and both weights.
    AllocationError
        Weights that no portfolio can have, with the date of their decision. How much it may borrow
        is a matter of the rules, and not looked at.
    InvalidParametersError
        The panel is too short to cut, or something is not what it should be.
    """
    _check_arguments(strategy, panel, cuts, seed, rebalance)
    random = np.random.default_rng(seed)
    whole = _Case.of(strategy, panel)
    places = np.arange(whole.strategy.needed_sessions - 1, whole.history.dates.size - 1)
    if not places.size:
        raise _invalid(
            f"panel: expected more than the {whole.strategy.needed_sessions} sessions that "
            f"{whole.strategy.name} needs, received {whole.history.dates.size}"
        )
    rows = np.sort(random.choice(places, size=min(cuts, places.size), replace=False))
    dates = whole.history.dates
    ends = period_ends(dates, whole.strategy.rebalance if rebalance is None else rebalance)
    calendar = np.union1d([0], ends)
    asked = dates[np.union1d(calendar[calendar >= places[0]], rows)]
    expected = whole.one_by_one(asked)
    check_targets(
        expected, whole.strategy.symbols, asked, name=whole.strategy.name, max_leverage=np.inf
    )
    compared = _ask_again(whole, asked, expected, random)
    for cut in dates[rows]:
        for changed, how in (
            (_without_future(panel, cut), f"without the prices after {as_date(cut)}"),
            (_other_future(panel, cut, random), f"with other prices after {as_date(cut)}"),
        ):
            case, until = _Case.of(strategy, changed), asked[asked <= cut]
            how_long = ("with all prices", how)
            last = case.one_by_one(until[-1:])
            _compare(whole, case, until[-1:], expected[until.size - 1 :], last, how_long)
            together = case.together(until)
            _compare(whole, case, until, expected, together, how_long)
            compared += until.size
    return LookAheadProof(
        repr(whole.strategy), tuple(as_date(cut) for cut in dates[rows]), asked.size, compared
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """A strategy and what it may look at."""

    strategy: Strategy
    history: PricePanel

    @classmethod
    def of(cls, strategy: Strategy | StrategyFactory, panel: PricePanel) -> _Case:
        """The strategy, built on this panel if it is a function, and its symbols' prices."""
        built = strategy if isinstance(strategy, Strategy) else strategy(panel)
        check_strategy(built, owner="prove_no_lookahead")
        used = panel.select(built.symbols).priced_sessions()
        return cls(built, complete_prices(used, "common", first=0).panel)

    def together(self, dates: DateArray) -> FloatArray:
        """Weights decided on these sessions, asked for all at once, shape (K, N)."""
        return self.strategy.targets(self.history, self._ends(dates))

    def one_by_one(self, dates: DateArray) -> FloatArray:
        """Weights decided on these sessions, each asked for by itself, shape (K, N)."""
        return Strategy.targets(self.strategy, self.history, self._ends(dates))

    def _ends(self, dates: DateArray) -> IndexArray:
        return np.searchsorted(self.history.dates, dates, side="right")


def _ask_again(
    case: _Case, asked: DateArray, expected: FloatArray, random: np.random.Generator
) -> int:
    """Ask all at once, backwards and in a random order; return how many decisions there were."""
    orders = (np.arange(asked.size)[::-1], random.permutation(asked.size))
    for order in orders:
        again = case.one_by_one(asked[order])
        how = ("when it is asked in order", "when it is asked again in another order")
        _compare(case, case, asked[order], expected[order], again, how, remedy=_NO_STATE)
    how = ("in target_weights", "in targets")
    _compare(
        case,
        case,
        asked,
        expected,
        case.together(asked),
        how,
        remedy="targets must answer what target_weights does, to the last bit",
    )
    return 3 * int(asked.size)


def _compare(
    whole: _Case,
    case: _Case,
    dates: DateArray,
    expected: FloatArray,
    received: FloatArray,
    how: tuple[str, str],
    *,
    remedy: str = _NO_FUTURE,
) -> None:
    """Refuse the first weight of `received` that is not, bit for bit, the one of `expected`.

    A strategy may choose other symbols on other panels; what it leaves out has the weight 0.
    """
    symbols = tuple(dict.fromkeys((*whole.strategy.symbols, *case.strategy.symbols)))
    left = _columns(expected[: dates.size], whole.strategy.symbols, symbols)
    right = _columns(received, case.strategy.symbols, symbols)
    differ = (left != right) & ~(np.isnan(left) & np.isnan(right))
    if differ.any():
        row, column = np.argwhere(differ)[0]
        date: np.datetime64 = dates[row]
        raise LookAheadError(
            whole.strategy.name,
            date=as_date(date),
            symbol=symbols[column],
            weights=(float(left[row, column]), float(right[row, column])),
            how=how,
            remedy=remedy,
        )


def _columns(weights: FloatArray, own: tuple[str, ...], symbols: tuple[str, ...]) -> FloatArray:
    columns = np.zeros((len(weights), len(symbols)))
    columns[:, [symbols.index(symbol) for symbol in own]] = weights
    return columns


def _without_future(panel: PricePanel, cut: np.datetime64) -> PricePanel:
    return panel.rows(0, int(np.searchsorted(panel.dates, cut, side="right")))


def _other_future(panel: PricePanel, cut: np.datetime64, random: np.random.Generator) -> PricePanel:
    """What fell after the cut rises, what rose falls, and noise comes on top."""
    stop = int(np.searchsorted(panel.dates, cut, side="right"))
    later = panel.prices[stop:]
    noise = np.exp(random.normal(0.0, 0.03, later.shape).cumsum(axis=0))
    before = np.where(np.isnan(panel.prices[stop - 1]), 1.0, panel.prices[stop - 1])
    prices = panel.prices.copy()
    # where prices are absurd, those that leave the range of floats stay at its ends
    with np.errstate(over="ignore"):
        prices[stop:] = np.clip(before * (before / later) * noise, *_PRICES)
        if panel.quotes is None:
            return panel.with_prices(prices)
        closes = np.clip(panel.quotes.closes * (prices / panel.prices), *_PRICES)
    return panel.with_prices(prices, closes=closes)


def _check_arguments(
    strategy: object, panel: object, cuts: object, seed: object, rebalance: object
) -> None:
    """Name everything that was given and is not what it should be."""
    problems = []
    if not (isinstance(strategy, Strategy) or callable(strategy)):
        problems.append(
            "strategy: expected a Strategy, or a function of a PricePanel that returns one, "
            f"received {shown(strategy)}"
        )
    if not isinstance(panel, PricePanel):
        problems.append(f"panel: expected a PricePanel, received {type(panel).__name__}")
    if not is_count(cuts):
        problems.append(f"cuts: expected 1 or more, received {shown(cuts)}")
    if not is_count(seed, least=0):
        problems.append(f"seed: expected a whole number of 0 or more, received {shown(seed)}")
    if rebalance is not None and rebalance not in get_args(Rebalance):
        problems.append(
            f"rebalance: expected one of {', '.join(get_args(Rebalance))}, received "
            + shown(rebalance)
        )
    if problems:
        raise InvalidParametersError("prove_no_lookahead", problems)


def _invalid(problem: str) -> InvalidParametersError:
    return InvalidParametersError("prove_no_lookahead", [problem])
