"""Prices that are missing, wrong, or not where a window needs them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from etf_backtest.errors.base import EtfBacktestError
from etf_backtest.errors.wording import listed, quoted


class PriceFileError(EtfBacktestError):
    """A file of prices cannot be taken as it is; nothing of it was stored."""

    def __init__(self, path: Path, message: str, *, remedy: str | None = None) -> None:
        super().__init__(f"{path.name or path}: {message}", remedy=remedy)
        self.path = path


class RejectedPricesError(EtfBacktestError):
    """Rows of a source cannot be stored; nothing was stored."""

    def __init__(self, problems: Sequence[str], *, more: bool = False) -> None:
        others = len(problems) - 1
        known = f"{others:,} or more" if more else f"{others:,}"
        rest = f" (and {known} further problem{'s'[: others > 1]})" if others else ""
        super().__init__(
            f"{problems[0]}{rest}",
            remedy="mend it and import it again, or store the good rows with --skip-bad "
            "(skip_bad=True); nothing was stored",
        )
        self.problems = tuple(problems)


class LayoutError(EtfBacktestError):
    """Columns or bytes that are not those of prices, wherever they are from.

    Its message goes on from the name of the file or frame: "has no column date".
    """

    exit_code = 2


class NoPricesError(EtfBacktestError):
    """Prices that a backtest needs are not in the store."""

    def __init__(self, symbol: str, message: str, *, remedy: str) -> None:
        super().__init__(f"{symbol}: {message}", remedy=remedy)
        self.symbol = symbol


class ContradictoryPricesError(EtfBacktestError):
    """A bar does not go together with what is stored of the same session; nothing was stored."""

    def __init__(self, rule: str, *, row: str | None = None) -> None:
        super().__init__(
            f"prices break the rule {rule} once they are merged with what is stored"
            + (f": {row}" if row else ""),
            remedy="import the whole bar (open, high, low and close), or mend the file",
        )
        self.rule = rule


class PricesTwiceError(EtfBacktestError):
    """An import has two rows for one session of a symbol; nothing was stored."""

    def __init__(self, symbol: str, date: dt.date) -> None:
        super().__init__(
            f"{symbol} has more than one row for {date}; nothing was stored",
            remedy="leave one of them",
        )
        self.symbol = symbol
        self.date = date


class PricesLockedError(EtfBacktestError):
    """Somebody else is writing prices, and goes on for longer than we wait; nothing was stored."""

    def __init__(self, seconds: float, *, holder: str | None = None) -> None:
        super().__init__(
            f"prices have been written by {holder or 'another transaction'} "
            f"for more than {seconds} s; nothing was stored",
            remedy="wait for it and import again, or end that transaction",
        )
        self.seconds = seconds
        self.holder = holder


class PricesNotStoredError(EtfBacktestError):
    """The server could not take an import; nothing of it was stored."""

    def __init__(self, reason: str, *, remedy: str) -> None:
        super().__init__(f"{reason}; nothing was stored", remedy=remedy)
        self.reason = reason


class UncoveredWindowError(EtfBacktestError):
    """A backtest was asked for over days for which not all prices are stored."""

    def __init__(
        self,
        symbols: Sequence[str],
        start: dt.date,
        end: dt.date,
        *,
        first: dt.date,
        last: dt.date,
    ) -> None:
        super().__init__(
            f"{start} to {end} is not covered: {', '.join(symbols)} all have prices "
            f"from {first} to {last}",
            remedy=f"use {first} to {last} or a window inside, or import more prices",
        )
        self.symbols = tuple(symbols)
        self.first = first
        self.last = last


class PriceDataError(EtfBacktestError):
    """Prices are not usable as they are: which symbol, which session, which value."""

    def __init__(
        self,
        message: str,
        *,
        symbol: str | None = None,
        date: dt.date | None = None,
        value: float | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.symbol = symbol
        self.date = date
        self.value = value


class MissingPricesError(PriceDataError):
    """A symbol has no price on sessions that a run needs, and the policy does not bridge them."""

    def __init__(
        self, symbol: str, *, first: dt.date, last: dt.date, count: int, others: Sequence[str] = ()
    ) -> None:
        sessions = "session" if count == 1 else "sessions"
        also = f"; so does {listed(others)}" if others else ""
        super().__init__(
            f"{symbol} lacks prices on {count} {sessions} from {first} to {last}{also}",
            symbol=symbol,
            date=first,
            remedy="import them, choose another window, or a policy for missing prices: common for "
            "the ends of a window, ffill:N (ForwardFill) for gaps of at most N sessions",
        )
        self.first = first
        self.last = last
        self.count = count
        self.others = tuple(others)


class UnknownSymbolError(EtfBacktestError):
    """A symbol was asked for that the price panel does not have."""

    def __init__(self, symbol: str, *, known: Sequence[str]) -> None:
        super().__init__(
            f"there are no prices of {quoted(symbol)}", remedy=f"the panel has {listed(known)}"
        )
        self.symbol = symbol
        self.known = tuple(known)


class UnknownExchangeError(EtfBacktestError):
    """Nobody here knows when that exchange was open."""

    exit_code = 2

    def __init__(self, exchange: str, *, known: Sequence[str]) -> None:
        super().__init__(
            f"the sessions of the exchange {quoted(exchange)} are not known",
            remedy=f"give one of {', '.join(known)}, or the ISO code (MIC) of another",
        )
        self.exchange = exchange
        self.known = tuple(known)


class WindowError(EtfBacktestError):
    """A window of dates that cannot be backtested: reversed, outside the prices, too short."""

    def __init__(
        self,
        message: str,
        *,
        start: dt.date | None = None,
        end: dt.date | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.start = start
        self.end = end


class RateError(EtfBacktestError, ValueError):
    """A rate, or a series of them, that cannot be used."""


class MissingPolicyError(EtfBacktestError, ValueError):
    """A policy for missing prices that cannot be used."""

    exit_code = 2


class NoClosesError(EtfBacktestError):
    """Dividends shall be kept as cash, but of a symbol only total-return prices are known."""

    exit_code = 2

    def __init__(
        self, symbol: str, *, proxy: str | None = None, since: dt.date | None = None
    ) -> None:
        what = "has total-return prices only"
        remedy = (
            "give closes, dividends and splits (PricePanel.from_bars), or reinvest the dividends"
        )
        if proxy is not None:
            what = f"has total-return prices only before {since}, where they are those of {proxy}"
            remedy = f"start on {since} or later, or reinvest the dividends"
        super().__init__(
            f"{symbol} {what}, in which dividends are reinvested already: "
            "they cannot be kept as cash",
            remedy=remedy,
        )
        self.symbol = symbol
        self.proxy = proxy
        self.since = since


class SpliceError(EtfBacktestError):
    """The prices of a proxy cannot be put before those of a symbol."""

    def __init__(self, symbol: str, proxy: str, reason: str, *, remedy: str) -> None:
        super().__init__(f"{symbol} cannot have {proxy} as its proxy: {reason}", remedy=remedy)
        self.symbol = symbol
        self.proxy = proxy
        self.reason = reason
