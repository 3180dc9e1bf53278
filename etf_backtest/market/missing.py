"""What is done where a symbol has no price: nothing is invented unless it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from etf_backtest.errors import MissingPolicyError, MissingPricesError, WindowError
from etf_backtest.errors.wording import listed, quoted
from etf_backtest.market.sessions import as_date
from etf_backtest.typing import BoolArray, FloatArray

if TYPE_CHECKING:
    from etf_backtest.market.panel import PricePanel


@dataclass(frozen=True, slots=True)
class ForwardFill:
    """Carry the last price forward over gaps of at most `max_gap` sessions.

    Raises
    ------
    MissingPolicyError
        `max_gap` is no whole number of 1 or more.
    """

    max_gap: int

    def __post_init__(self) -> None:
        gap = self.max_gap
        whole = isinstance(gap, int | np.integer) and not isinstance(gap, bool)
        if not whole or gap < 1:
            raise MissingPolicyError(
                f"max_gap must be 1 or more, received {quoted(gap)}",
                remedy="give the number of sessions over which a price may be carried forward",
            )
        object.__setattr__(self, "max_gap", int(gap))


MissingPolicy: TypeAlias = Literal["error", "common"] | ForwardFill
"""`error` refuses, `common` starts at the latest first and ends at the earliest last date (a gap in
between is still an error), ForwardFill fills short gaps. The last two are reported."""


@dataclass(frozen=True, slots=True)
class CompletePrices:
    """A panel without gaps, and what was done to make it one."""

    panel: PricePanel
    notes: tuple[str, ...]


def complete_prices(panel: PricePanel, policy: MissingPolicy, *, first: int) -> CompletePrices:
    """Rows `first` and later of a panel, without missing values.

    Parameters
    ----------
    panel : PricePanel
    policy : MissingPolicy
    first : int
        The first row that is needed. Earlier ones only lend the price that is carried forward.

    Raises
    ------
    MissingPricesError
        Naming the symbol, the first and last missing date, and their count.
    WindowError
        `common` leaves nothing.
    """
    if _is_complete(panel.prices[first:]):
        return CompletePrices(panel.rows(first, None), ())
    if isinstance(policy, ForwardFill):
        filled, was_filled = _carry_forward(panel, policy.max_gap)
        needed = filled.rows(first, None)
        _refuse_gaps(needed)
        counts = was_filled[first:].sum(axis=0)
        notes = tuple(
            f"{symbol}: {count} missing {'price was' if count == 1 else 'prices were'} "
            f"carried forward (gaps of at most {policy.max_gap} sessions)"
            for symbol, count in zip(panel.symbols, counts, strict=True)
            if count
        )
        return CompletePrices(needed, notes)
    needed = panel.rows(first, None)
    common = _common_rows(needed) if policy == "common" else needed
    _refuse_gaps(common)
    if common.dates.size == needed.dates.size:
        return CompletePrices(common, ())
    note = (
        f"only sessions that all symbols share are used: {as_date(common.dates[0])} to "
        f"{as_date(common.dates[-1])} instead of {as_date(needed.dates[0])} to "
        f"{as_date(needed.dates[-1])}"
    )
    return CompletePrices(common, (note,))


def _is_complete(prices: FloatArray) -> bool:
    return not np.isnan(prices.min(initial=np.inf))


def _carry_forward(panel: PricePanel, max_gap: int) -> tuple[PricePanel, BoolArray]:
    """Fill gaps of at most `max_gap` rows from the row before them, and where that was; (T, N).

    Closes are carried forward with the prices. There is no dividend and no split on the rows that
    are filled: without a close there was none to begin with.
    """
    fill = np.isnan(panel.prices)
    columns = np.flatnonzero(fill.any(axis=0))
    known = ~fill[:, columns]
    rows, sessions = np.arange(len(known))[:, np.newaxis], len(known)
    before = np.maximum.accumulate(np.where(known, rows, -1), axis=0)
    after = np.minimum.accumulate(np.where(known, rows, sessions)[::-1], axis=0)[::-1]
    short = ~known & (before >= 0) & (after - before - 1 <= max_gap)
    fill[:, columns] = short
    source = np.where(short, before, rows), columns
    prices = panel.prices.copy()
    prices[:, columns] = prices[source]
    if panel.quotes is None:
        return panel.with_prices(prices), fill
    closes = panel.quotes.closes.copy()
    closes[:, columns] = closes[source]
    return panel.with_prices(prices, closes=closes), fill


def _common_rows(panel: PricePanel) -> PricePanel:
    known = ~np.isnan(panel.prices)
    _refuse_columns_without_prices(panel, known)
    first = int(known.argmax(axis=0).max())
    stop = len(known) - int(known[::-1].argmax(axis=0).max())
    if stop - first < 2:
        raise WindowError(
            f"{listed(panel.symbols)} share fewer than 2 sessions",
            remedy="leave out the symbol whose prices start late or end early",
        )
    return panel.rows(first, stop)


def _refuse_columns_without_prices(panel: PricePanel, known: BoolArray) -> None:
    if not known.any(axis=0).all():
        _refuse_gaps(panel)


def _refuse_gaps(panel: PricePanel) -> None:
    missing = np.isnan(panel.prices)
    columns = np.flatnonzero(missing.any(axis=0))
    if not columns.size:
        return
    rows = np.flatnonzero(missing[:, columns[0]])
    raise MissingPricesError(
        panel.symbols[columns[0]],
        first=as_date(panel.dates[rows[0]]),
        last=as_date(panel.dates[rows[-1]]),
        count=int(rows.size),
        others=[panel.symbols[column] for column in columns[1:]],
    )
