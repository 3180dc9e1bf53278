"""Prices from Yahoo Finance, through yfinance (extra `yahoo`).

Closes are as Yahoo has them: divided by later splits, not adjusted for dividends; adjusted closes
stand beside them. Dividends are divided by later splits too. docs/prices.md says more.
"""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from etf_backtest.errors import NoSessionsError, OptionalDependencyError, SymbolNotFoundError
from etf_backtest.market.bar import is_symbol
from etf_backtest.providers.retries import Retries, RetryPolicy
from etf_backtest.providers.source import PriceBatch
from etf_backtest.providers.yahoo_answers import YAHOO, Chart
from etf_backtest.providers.yahoo_bars import chart_batch
from etf_backtest.providers.yahoo_connection import YahooConnection

if TYPE_CHECKING:
    from etf_backtest.providers.yahoo_session import YahooCharts

EARLIEST = dt.date(1927, 1, 1)
"""Nothing at Yahoo is older."""

_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]", re.ASCII)


class YahooPrices:
    """Daily bars of some symbols, one batch a symbol.

    Parameters
    ----------
    symbols : sequence of str
        As Yahoo spells them.
    start, end : date, optional
        First and last session, both included; by default everything up to the last session that
        is over.
    cache_dir : Path
        yfinance's cookies and time zones go to its folder `yfinance`, and nowhere else.
    connection : YahooConnection
    retries : RetryPolicy
        For all symbols together.
    narrate : callable
        Told each wait.
    sleep : callable
        Waits for so many seconds.

    Raises
    ------
    OptionalDependencyError
        yfinance is not installed.
    """

    name = "yahoo"
    split_adjusted = True

    def __init__(
        self,
        symbols: Sequence[str] = (),
        start: dt.date | None = None,
        end: dt.date | None = None,
        *,
        cache_dir: Path,
        connection: YahooConnection | None = None,
        retries: RetryPolicy | None = None,
        narrate: Callable[[str], None] = lambda _: None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.symbols = tuple(symbols)
        self.start = start or EARLIEST
        self.end = end
        self._charts = _open(cache_dir, connection or YahooConnection(), narrate)
        self._retries = Retries(policy=retries or RetryPolicy(), narrate=narrate, sleep=sleep)

    def batches(self) -> Iterator[PriceBatch]:
        """Yield the bars of each symbol.

        Raises
        ------
        ProviderError
            Of the first symbol that cannot be had.
        """
        for symbol in self.symbols:
            yield chart_batch(
                self.chart(symbol, self.start, self.end), start=self.start, end=self.end
            )

    def chart(self, symbol: str, start: dt.date, end: dt.date | None = None) -> Chart:
        """Yahoo's answer about one symbol, asked for again while that may help.

        Raises
        ------
        RateLimitedError, ProviderUnavailableError
            After the last attempt.
        SymbolNotFoundError, NoSessionsError, RefusedError, MalformedAnswerError
        """
        if not is_symbol(symbol) or "/" in symbol or _ISIN.fullmatch(symbol):
            reason = "this is an ISIN" if _ISIN.fullmatch(symbol) else "this is no symbol"
            raise SymbolNotFoundError(symbol, provider=YAHOO, reason=reason)
        chart = self._retries.until_answered(lambda: self._charts.chart(symbol, start, end))
        if not chart.dates:
            raise NoSessionsError(
                symbol,
                provider=YAHOO,
                window=f"from {start}" if end is None else f"from {start} to {end}",
                reason="its answer is empty",
            )
        return chart


def _open(
    cache_dir: Path, connection: YahooConnection, narrate: Callable[[str], None]
) -> YahooCharts:
    try:
        from etf_backtest.providers.yahoo_session import open_charts  # yfinance takes 0.5 s
    except ImportError as error:
        raise OptionalDependencyError(
            "fetching prices from Yahoo", library="yfinance", extra="yahoo"
        ) from error
    return open_charts(cache_dir, connection, narrate)
