"""Prices, dividends and splits of a run, as Decimals, and the history that its strategy sees."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

import numpy as np

from etf_backtest.errors import UnknownSymbolError
from etf_backtest.market import PricePanel
from etf_backtest.market.splice import no_closes
from etf_backtest.simulation.ledger.precision import ONE, YEAR_OF_INTEREST, ZERO
from etf_backtest.simulation.preparation import prepare
from etf_backtest.simulation.rules import Rules
from etf_backtest.strategies import Strategy
from etf_backtest.typing import DateLike, FloatArray

Row = tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What happened on the market.

    Attributes
    ----------
    dates : tuple of date
        Sessions of the window.
    symbols : tuple of str
        What is traded.
    prices : tuple of rows
        Closes where they are known, else total-return prices; after the expense ratios.
    dividends, splits : mapping of int to row
        Only the rows on which there was one.
    history : PricePanel
        What the strategy may look at; its last row is the last session of the window.
    """

    dates: tuple[dt.date, ...]
    symbols: tuple[str, ...]
    prices: tuple[Row, ...]
    dividends: Mapping[int, Row]
    splits: Mapping[int, Row]
    history: PricePanel


def take_inputs(
    panel: PricePanel,
    strategy: Strategy,
    rules: Rules,
    benchmark: str | None,
    start: DateLike | None,
    end: DateLike | None,
) -> Inputs:
    """Select and complete the prices as every run does, and take the expense ratios off them.

    Raises
    ------
    UnknownSymbolError
        An expense ratio is for a symbol that is not in the run.
    NoClosesError
        Dividends in cash are asked for, and a symbol has none.
    """
    free = rules.model_copy(update={"expense_ratios": {}})
    prepared = prepare(panel, strategy, free, benchmark, start, end)
    for symbol in rules.expense_ratios:
        if symbol not in prepared.window.symbols:
            raise UnknownSymbolError(symbol, known=prepared.window.symbols)
    window = prepared.window.select(strategy.symbols)
    dates: tuple[dt.date, ...] = tuple(window.dates.tolist())
    levels = _levels(dates, window.symbols, rules.expense_ratios)
    return Inputs(
        dates=dates,
        symbols=window.symbols,
        prices=_times(_prices(window), levels),
        dividends=_dividends(window, levels, needed=rules.dividends == "cash"),
        splits=_splits(window),
        history=_after_expenses(prepared.history, dates[0], rules.expense_ratios),
    )


def _prices(window: PricePanel) -> list[Row]:
    quotes = window.quotes
    if quotes is None:
        return _rows(window.prices)
    return _rows(np.where(quotes.known, quotes.closes, window.prices))


def _dividends(window: PricePanel, levels: Sequence[Row] | None, *, needed: bool) -> dict[int, Row]:
    quotes = window.quotes
    known = [False] * len(window.symbols) if quotes is None else quotes.known.tolist()
    if needed:
        for symbol, has in zip(window.symbols, known, strict=True):
            if not has:
                raise no_closes(window, symbol)
    if quotes is None:
        return {}
    rows = _times(_rows(np.where(quotes.known, quotes.dividends, 0.0)), levels)
    return {number: row for number, row in enumerate(rows) if any(row)}


def _splits(window: PricePanel) -> dict[int, Row]:
    if window.quotes is None:
        return {}
    rows = _rows(np.where(window.quotes.known, window.quotes.splits, 1.0))
    return {number: row for number, row in enumerate(rows) if any(ratio != 1 for ratio in row)}


def _after_expenses(
    history: PricePanel, anchor: dt.date, ratios: Mapping[str, float]
) -> PricePanel:
    """The history as a holder of the fund would have seen it; the anchor's prices stay."""
    dates = history.dates.tolist()
    levels = _levels(dates, history.symbols, ratios, anchor=dates.index(anchor))
    if levels is None:
        return history
    factors = np.array([[float(level) for level in row] for row in levels])
    prices = [[float(price) for price in row] for row in _times(_rows(history.prices), levels)]
    quotes = history.quotes and history.quotes.scaled(factors)
    return PricePanel(
        history.dates, history.symbols, np.array(prices), history.basis, quotes, history.splices
    )


def _levels(
    dates: Sequence[dt.date],
    symbols: Sequence[str],
    ratios: Mapping[str, float],
    *,
    anchor: int = 0,
) -> list[Row] | None:
    """What is left of one unit after the fees since the anchor's row; None if there are none."""
    if not any(ratios.get(symbol) for symbol in symbols):
        return None
    annual = [Decimal(ratios.get(symbol, 0.0)) for symbol in symbols]
    kept = [
        tuple(ONE - ratio * (day - before).days / YEAR_OF_INTEREST for ratio in annual)
        for before, day in pairwise(dates)
    ]
    levels = [tuple(ONE for _ in symbols)] * len(dates)
    for row in range(anchor, len(dates) - 1):
        levels[row + 1] = tuple(x * y for x, y in zip(levels[row], kept[row], strict=True))
    for row in range(anchor, 0, -1):
        levels[row - 1] = tuple(x / y for x, y in zip(levels[row], kept[row - 1], strict=True))
    return levels


def _times(rows: list[Row], levels: Sequence[Row] | None) -> tuple[Row, ...]:
    if levels is None:
        return tuple(rows)
    return tuple(
        tuple(x * level if x != ZERO else x for x, level in zip(row, own, strict=True))
        for row, own in zip(rows, levels, strict=True)
    )


def _rows(values: FloatArray) -> list[Row]:
    """Each float as the Decimal that it exactly is."""
    return [tuple(Decimal(value) for value in row) for row in values.tolist()]
