"""When exchanges were open, from `exchange_calendars`."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from types import MappingProxyType, ModuleType

import numpy as np

from etf_backtest.errors import UnknownExchangeError
from etf_backtest.market.quality import ExchangeSessions
from etf_backtest.market.sessions import as_session
from etf_backtest.typing import DateLike

DEFAULT_EXCHANGE = "XNYS"

_NAMES = MappingProxyType(
    {
        "XNYS": (
            "NYSE", "NYSE Arca", "NYSE American", "Nasdaq", "NasdaqGS", "NasdaqGM", "NasdaqCM",
            "Cboe", "Cboe BZX", "Cboe BZX U.S.", "BATS", "IEX", "AMEX", "ARCX", "XNAS", "XASE",
            "New York Stock Exchange", "OTC", "OTC Markets", "Nasdaq Global Market",
        ),
        "XLON": ("LSE", "London", "London Stock Exchange"),
        "XETR": ("Xetra",),
        "XFRA": ("Frankfurt", "Boerse Frankfurt"),
        "XSTU": ("Stuttgart", "Boerse Stuttgart"),
        "XPAR": ("Euronext Paris", "Paris"),
        "XAMS": ("Euronext Amsterdam", "Amsterdam"),
        "XBRU": ("Euronext Brussels", "Brussels"),
        "XLIS": ("Euronext Lisbon", "Lisbon"),
        "XDUB": ("Euronext Dublin", "Dublin"),
        "XMIL": ("Borsa Italiana", "Euronext Milan", "Milan"),
        "XMAD": ("BME", "Bolsa de Madrid", "Madrid"),
        "XSWX": ("SIX", "SIX Swiss Exchange"),
        "XWBO": ("Wiener Boerse", "Vienna"),
        "XSTO": ("Nasdaq Stockholm", "Stockholm"),
        "XCSE": ("Nasdaq Copenhagen", "Copenhagen"),
        "XHEL": ("Nasdaq Helsinki", "Helsinki"),
        "XOSL": ("Oslo Bors", "Oslo"),
        "XTSE": ("TSX", "Toronto", "Toronto Stock Exchange", "Cboe Canada"),
        "XASX": ("ASX", "Australian Securities Exchange", "Cboe Australia"),
        "XTKS": ("TSE", "JPX", "Tokyo", "Tokyo Stock Exchange"),
        "XHKG": ("HKEX", "Hong Kong", "Hong Kong Stock Exchange"),
        "XSES": ("SGX", "Singapore Exchange"),
        "XSHG": ("SSE", "Shanghai", "Shanghai Stock Exchange"),
        "XKRX": ("KRX", "Korea Exchange"),
        "XTAI": ("TWSE", "Taiwan Stock Exchange"),
        "XBOM": ("Bombay", "Bombay Stock Exchange", "NSE", "BSE India"),
        "BVMF": ("B3",),
        "XMEX": ("BMV",),
        "XJSE": ("JSE", "Johannesburg"),
    }
)  # fmt: skip
"""By the code of the calendar, what people write; exchanges of one country share one."""

_KNOWN = tuple(names[0] for names in _NAMES.values())

_KNOWN_FROM = MappingProxyType({"XNYS": "1953-01-01"})
"""New York: no sessions on Saturdays since late 1952, and earlier Saturdays are not recorded."""
_OTHERS_KNOWN_FROM = "1990-01-01"
"""Of the others earlier holidays follow today's rules backwards, and single ones are not listed."""


def exchange_code(exchange: str) -> str:
    """The code of an exchange's calendar, for what people write, like "NYSE Arca".

    Parameters
    ----------
    exchange : str
        A name as in `etf_info.exchange`, in any case and with any punctuation, or an ISO code
        (MIC) that exchange_calendars has.

    Raises
    ------
    UnknownExchangeError
        Naming those that are known.
    """
    key = _plain(exchange)
    code = _codes().get(key)
    if code is not None:
        return code
    official = {
        name
        for name in _exchange_calendars().get_calendar_names(include_aliases=False)
        if name.isalnum() and name.isupper() and len(name) == 4
    }
    if key.upper() in official:
        return key.upper()
    raise UnknownExchangeError(exchange, known=_KNOWN)


def exchange_sessions(
    exchange: str = DEFAULT_EXCHANGE, *, first: DateLike, last: DateLike
) -> ExchangeSessions:
    """The sessions of an exchange between two days, as far as they are known.

    They are known from 1953 (New York) or 1990 (others) to a year from now, or less where
    exchange_calendars says so: the answer's `first` and `last` tell. Closures that an exchange has
    decreed after the installed exchange_calendars was released are not in it.

    Parameters
    ----------
    exchange : str
        What `exchange_code` takes.
    first, last : date, datetime64 or ISO string
        Both included.

    Raises
    ------
    UnknownExchangeError
        Naming those that are known.
    WindowError
        Not a date.
    """
    code = exchange_code(exchange)
    begin, end = as_session(first), as_session(last)
    known = _known_sessions(code)
    start, stop = max(begin, known.first), min(end, known.last)
    dates = known.dates[(known.dates >= start) & (known.dates <= stop)]
    return ExchangeSessions(code, dates, start, stop)


@lru_cache(maxsize=64)
def _known_sessions(code: str) -> ExchangeSessions:
    """All for which exchange_calendars can be believed; a tenth of a second once for each."""
    try:
        with _without_warnings():
            library = _exchange_calendars()
            usual = library.get_calendar(code)
            bounds = usual.bound_min(), usual.default_end()
            first, last = (None if day is None else str(day.date()) for day in bounds)
            first = max(_KNOWN_FROM.get(code, _OTHERS_KNOWN_FROM), first or "")
            dates = library.get_calendar(code, start=first, end=last).sessions.to_numpy()
    except (ValueError, NotImplementedError) as error:
        # some calendars fail with some versions of pandas: Tel Aviv's and Athens' with 3.1
        raise UnknownExchangeError(code, known=_KNOWN) from error
    return ExchangeSessions(
        code, dates.astype("datetime64[D]"), np.datetime64(first, "D"), np.datetime64(last, "D")
    )


def _exchange_calendars() -> ModuleType:
    """The library, imported late: that takes longer than most commands."""
    with _without_warnings():
        import exchange_calendars  # type: ignore[import-untyped]
    module: ModuleType = exchange_calendars
    return module


@contextmanager
def _without_warnings() -> Iterator[None]:
    """For the time being: exchange_calendars is behind on what pandas deprecates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@lru_cache(maxsize=1)
def _codes() -> dict[str, str]:
    """Code by plain name."""
    return {_plain(name): code for code, names in _NAMES.items() for name in (code, *names)}


def _plain(name: str) -> str:
    """Letters and digits alone, in lower case."""
    return re.sub(r"[^0-9a-z]", "", name.casefold())
