"""Inputs of a run: complete prices of what is traded, looked at and compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from etf_backtest.errors import (
    InvalidParametersError,
    MissingPricesError,
    UnknownSymbolError,
    WindowError,
)
from etf_backtest.market import PricePanel
from etf_backtest.market.missing import CompletePrices, complete_prices
from etf_backtest.market.sessions import as_date
from etf_backtest.market.splice import without_splices
from etf_backtest.simulation.proxy_share import proxy_notes, proxy_shares
from etf_backtest.simulation.rules import Rules
from etf_backtest.strategies import Strategy
from etf_backtest.strategies.checks import check_strategy
from etf_backtest.typing import DateLike


@dataclass(frozen=True, slots=True)
class Prepared:
    """Complete prices, of the symbols that each part of a run needs."""

    window: PricePanel
    """The traded symbols and the benchmark on the sessions of the run."""
    history: PricePanel
    """The traded symbols alone, up to the end of the window: what the strategy may look at."""
    notes: tuple[str, ...]


def prepare(
    panel: PricePanel,
    strategy: Strategy,
    rules: Rules,
    benchmark: str | None,
    start: DateLike | None,
    end: DateLike | None,
) -> Prepared:
    """Cut the panel to the symbols and sessions of the run, and close its gaps.

    Before the window the benchmark plays no part: what the strategy sees, and so what it does, is
    the same with every benchmark.

    Raises
    ------
    UnknownSymbolError, MissingPricesError, WindowError
        The panel does not have what the run needs, or the strategy could never decide.
    """
    extra = () if benchmark is None or benchmark in strategy.symbols else (benchmark,)
    used = panel.select((*strategy.symbols, *extra)).priced_sessions()
    if not used.dates.size:
        raise MissingPricesError(
            used.symbols[0],
            first=as_date(panel.dates[0]),
            last=as_date(panel.dates[-1]),
            count=panel.dates.size,
            others=used.symbols[1:],
        )
    first, stop = used.locate(start, end)
    window = complete_prices(used.rows(0, stop), rules.missing, first=first)
    if window.panel.dates.size < 2:  # `common` has cut into the window itself
        raise WindowError(
            f"{', '.join(used.symbols)} share fewer than 2 sessions of the window",
            start=as_date(used.dates[first]),
            end=as_date(used.dates[stop - 1]),
            remedy="choose another window, or leave out the symbol that ends early",
        )
    row = int(np.searchsorted(used.dates, window.panel.dates[0]))
    before = before_window(used.select(strategy.symbols).rows(0, row), strategy, rules)
    complete = window.panel.with_whole_quotes()
    history = before.panel.followed_by(complete.select(strategy.symbols))
    if history.dates.size < strategy.needed_sessions:
        raise WindowError(
            f"{strategy.name} looks back over {strategy.needed_sessions} sessions, but from "
            f"{as_date(history.dates[0])} to the end of the window {as_date(history.dates[-1])} "
            f"there are {history.dates.size}: it could never decide",
            start=as_date(window.panel.dates[0]),
            end=as_date(window.panel.dates[-1]),
            remedy="shorten its look-back, choose a later end, or give earlier prices",
        )
    # a proxy that has no session in what is used leaves no trace
    proxied = {share.symbol for share in proxy_shares(complete, history)}
    complete = without_splices(complete, but_of=proxied)
    history = without_splices(history, but_of=proxied)
    return Prepared(
        _with_fees(complete, complete, rules),
        _with_fees(history, complete, rules),
        (
            *proxy_notes(complete, history),
            *window.notes,
            *(f"before the window, {note}" for note in before.notes),
        ),
    )


def _with_fees(panel: PricePanel, window: PricePanel, rules: Rules) -> PricePanel:
    """The panel after the expense ratios of the rules, unchanged on the window's first session."""
    if not rules.expense_ratios:
        return panel
    for symbol in rules.expense_ratios:
        if symbol not in window.symbols:
            raise UnknownSymbolError(symbol, known=window.symbols)
    ratios = {name: fee for name, fee in rules.expense_ratios.items() if name in panel.symbols}
    return panel.with_expense_drag(ratios, anchor=window.dates[0])


def before_window(panel: PricePanel, strategy: Strategy, rules: Rules) -> CompletePrices:
    """What the strategy looks at before the window: rows since all its symbols have prices."""
    known = ~np.isnan(panel.prices)
    panel, known = panel.priced_sessions(), known[known.any(axis=1)]
    begun = np.logical_or.accumulate(known, axis=0).all(axis=1)
    since = int(begun.argmax()) if begun.any() else begun.size
    if strategy.history_sessions is not None:
        since = max(since, begun.size - strategy.history_sessions + 1)
    # the ends of series are no matter here: `common` has nothing to clip
    policy = "error" if rules.missing == "common" else rules.missing
    return complete_prices(panel, policy, first=since)


def check_kinds(panel: object, strategy: object, rules: object) -> None:
    """Tell somebody in a notebook what was exchanged for what.

    Raises
    ------
    InvalidParametersError
        Naming the argument, what was expected and what was received.
    """
    for name, value, kind, hint in (
        ("panel", panel, PricePanel, "PricePanel.from_frame(frame) makes one"),
        ("rules", rules, Rules, "Rules(rebalance='monthly'), for example"),
    ):
        if not isinstance(value, kind):
            raise InvalidParametersError(
                "simulate",
                [f"{name}: expected a {kind.__name__}, received {type(value).__name__}: {hint}"],
            )
    check_strategy(strategy)
