"""What a reader of a result has to know about its inputs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from etf_backtest.market import LONGEST_CLOSURE, PriceBasis, PricePanel
from etf_backtest.market.sessions import as_date
from etf_backtest.simulation.book import Book
from etf_backtest.simulation.planning import Planned
from etf_backtest.simulation.rebalancing import Rebalancing
from etf_backtest.simulation.rules import Rules
from etf_backtest.strategies import Strategy


def notes_on(
    panel: PricePanel,
    strategy: Strategy,
    *,
    planned: Planned,
    rules: Rules,
    book: Book,
) -> Iterator[str]:
    """Yield the warnings that follow from prices, strategy and rules, the worst first."""
    yield from _ruin(panel, book)
    yield from notes_on_inputs(
        panel, strategy, rebalancing=planned.rebalancing, lag=planned.lag, rules=rules
    )


def notes_on_inputs(
    panel: PricePanel, strategy: Strategy, *, rebalancing: Rebalancing, lag: int, rules: Rules
) -> Iterator[str]:
    """Yield the warnings that do not depend on what the strategy did with the money."""
    adjusted = [
        symbol
        for symbol, basis in zip(panel.symbols, panel.basis, strict=True)
        if basis is PriceBasis.ADJUSTED_CLOSE
    ]
    if adjusted:
        yield (
            f"{', '.join(adjusted)}: only the vendor's adjusted closes are known; returns are "
            "their ratios, not computed from closes, dividends and splits"
        )
    yield from _holes(panel)
    if strategy.looks_at_prices and lag == 0:
        yield (
            f"{strategy.name} looks at prices and was run with lag 0: it buys at the very close "
            "that it decides on, which nobody can do"
        )
    if strategy.rebalance == "never" and str(rebalancing) not in ("never", "cashflow"):
        yield (
            f"{strategy.name} does not rebalance by itself; the rules take it back to its weights "
            f"({rebalancing})"
        )
    yield from _units(panel, strategy, rules)


def _ruin(panel: PricePanel, book: Book) -> Iterator[str]:
    if book.ruin is None:
        return
    date, equity = as_date(panel.dates[book.equity.size - 1]), float(book.equity[-1])
    if book.ruin == "borrowing":
        yield (
            f"the run ends on {date}: the value fell to {equity:,.2f}, the borrowed money could "
            "not be paid back; that session counts as a loss of everything"
        )
    else:
        yield (
            f"the run ends on {date}: the money ran out; the withdrawal of that day was paid as "
            f"far as it went, {-book.flows[-1]:,.2f}"
        )


def _units(panel: PricePanel, strategy: Strategy, rules: Rules) -> Iterator[str]:
    """Rules for shares, where shares are not known."""
    known = set() if panel.quotes is None else set(np.flatnonzero(panel.quotes.known))
    unknown = [symbol for symbol in strategy.symbols if panel.symbols.index(symbol) not in known]
    if unknown and (rules.lot_size is not None or rules.costs.commission_per_share):
        what = "lots" if rules.lot_size is not None else "commissions per share"
        yield (
            f"{', '.join(unknown)}: closes are not known, so {what} count units of the "
            "total-return prices, not shares"
        )
        for splice in panel.splices:
            if splice.symbol in unknown and panel.dates[0] < np.datetime64(splice.date):
                yield (
                    f"{splice.symbol}: before {splice.date} its prices are those of "
                    f"{splice.proxy}; a window that begins on that day or later counts shares, "
                    "if closes are known"
                )
    if rules.expense_ratios:
        fees = ", ".join(f"{name} {fee:.4%}" for name, fee in rules.expense_ratios.items())
        yield f"expense ratios a year were taken out of the prices: {fees}"


def _holes(panel: PricePanel) -> Iterator[str]:
    """Weeks without a session, which no exchange calendar explains."""
    closed = np.busday_count(panel.dates[:-1] + 1, panel.dates[1:])
    holes = np.flatnonzero(closed > LONGEST_CLOSURE)
    if holes.size:
        row = int(holes[0])
        more = "" if holes.size == 1 else f", and {holes.size - 1} more such holes"
        yield (
            f"there is no session on {closed[row]} weekdays between {panel.dates[row]} and "
            f"{panel.dates[row + 1]}{more}: prices may be missing, and a hole counts as one return"
        )
