"""What Yahoo's chart endpoint answers, read strictly: every digit kept, nothing filled in.

yfinance makes a frame of the same answer. The frame cannot be taken for a store of prices: it turns
a missing volume into 0, leaves out sessions without prices, and books an ex-date that is no session
on the session before.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from etf_backtest.errors import (
    MalformedAnswerError,
    NoSessionsError,
    ProviderError,
    RefusedError,
    SymbolNotFoundError,
)
from etf_backtest.errors.wording import quoted

YAHOO = "Yahoo"
Number = Decimal | int | None

_QUOTES = ("open", "high", "low", "close", "volume")
_FIRST_SECOND, _LAST_SECOND = -2_208_988_800, 7_258_118_399
_NO_DATA = "Data doesn't exist"
_NOT_KNOWN = ("Not Found", "No data found")


@dataclass(frozen=True, slots=True)
class Distribution:
    """Cash per share with an ex-date; `currency` where Yahoo states one."""

    ex_date: dt.date
    amount: Decimal
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """New shares per old share, effective at the open of a day."""

    date: dt.date
    ratio: Decimal


@dataclass(frozen=True, slots=True)
class Market:
    """The session that is running, or else the last or the next one.

    Attributes
    ----------
    begin, end : datetime
        Of regular trading.
    after_hours_end : datetime
        When trading after hours ends; `end` where there is none.
    last_trade : datetime
        When the newest price was made.
    """

    begin: dt.datetime
    end: dt.datetime
    after_hours_end: dt.datetime
    last_trade: dt.datetime


@dataclass(frozen=True, slots=True)
class Chart:
    """One answer about one symbol, in Yahoo's order.

    Attributes
    ----------
    symbol, currency : str
    dates : tuple of date
        Of each row, in the exchange's own time zone.
    columns : mapping of str to tuple
        Open, high, low, close, adjusted_close and volume; None where Yahoo has null.
    dividends, capital_gains : tuple of Distribution
    splits : tuple of Split
    first_trade : date, optional
        The first day of which Yahoo has anything.
    market : Market, optional
        None where the answer does not say it all.
    answered : datetime
        When Yahoo answered, by its own clock.
    """

    symbol: str
    currency: str | None
    zone: ZoneInfo
    dates: tuple[dt.date, ...]
    columns: Mapping[str, tuple[Number, ...]]
    dividends: tuple[Distribution, ...]
    capital_gains: tuple[Distribution, ...]
    splits: tuple[Split, ...]
    first_trade: dt.date | None
    market: Market | None
    answered: dt.datetime


def read_chart(symbol: str, text: str, *, answered: dt.datetime) -> Chart:
    """Read the JSON of an answer.

    Raises
    ------
    SymbolNotFoundError, NoSessionsError, RefusedError
        Yahoo says so.
    MalformedAnswerError
        It is not JSON, or not the JSON of a daily chart of this symbol.
    """
    chart = _parsed(symbol, text).get("chart")
    if not isinstance(chart, dict):
        raise _malformed(symbol, f"has no chart: {quoted(text)}")
    if chart.get("error"):
        raise refusal(symbol, 200, text)
    results = chart.get("result")
    if not (isinstance(results, list) and results and isinstance(results[0], dict)):
        raise _malformed(symbol, f"has no result: {quoted(text)}")
    try:
        return _chart(symbol, results[0], answered)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        # whatever is missing or of another kind than in every answer seen so far
        raise _malformed(symbol, f"is not a chart: {type(error).__name__}: {error}") from error


def refusal(symbol: str, status: int, text: str) -> ProviderError:
    """What an answer means that says why it has no prices."""
    code, reason = _stated_error(text)
    if reason.startswith(_NO_DATA):
        return NoSessionsError(symbol, provider=YAHOO, window="in that window", reason=reason)
    if code in _NOT_KNOWN or reason.startswith(_NOT_KNOWN) or status == 404:
        return SymbolNotFoundError(symbol, provider=YAHOO, reason=reason)
    return RefusedError(symbol, provider=YAHOO, status=status, reason=reason)


def _stated_error(text: str) -> tuple[str, str]:
    """Code and description; both stand under "chart", or under "finance" if it is the crumb."""
    try:
        answer = json.loads(text)
        (inside,) = answer.values()
        error = inside["error"]
        return str(error.get("code")), str(error.get("description"))
    except (ValueError, LookupError, TypeError, AttributeError):
        return "", quoted(text)


def _parsed(symbol: str, text: str) -> dict[str, Any]:
    try:
        answer = json.loads(text, parse_float=Decimal, parse_constant=Decimal)
    except (ValueError, RecursionError) as error:
        what = "is a web page" if text.lstrip()[:1] == "<" else "is cut off or not JSON"
        raise _malformed(symbol, f"{what}: {quoted(text)}", transient=True) from error
    if not isinstance(answer, dict):
        raise _malformed(symbol, f"is not an object: {quoted(text)}")
    return answer


def _chart(symbol: str, result: Mapping[str, Any], answered: dt.datetime) -> Chart:
    meta = result["meta"]
    if (told := str(meta["symbol"])).upper() != symbol:
        raise _malformed(symbol, f"is about {quoted(told)}")
    if (granularity := meta.get("dataGranularity", "1d")) != "1d":
        raise _malformed(symbol, f"has a row per {quoted(granularity)}, expected days (1d)")
    try:
        zone = ZoneInfo(meta["exchangeTimezoneName"])
    except ZoneInfoNotFoundError as error:
        raise _malformed(symbol, f"has an unknown time zone: {error}") from error
    stamps = result.get("timestamp") or []
    events = result.get("events") or {}
    first = meta.get("firstTradeDate")
    return Chart(
        symbol=symbol,
        currency=meta.get("currency"),
        zone=zone,
        dates=tuple(_date(stamp, zone) for stamp in stamps),
        columns=_columns(symbol, result["indicators"], len(stamps)),
        dividends=_distributions(events.get("dividends"), zone),
        capital_gains=_distributions(events.get("capitalGains"), zone),
        splits=tuple(
            Split(_date(event["date"], zone), _number(event["numerator"], event["denominator"]))
            for event in (events.get("splits") or {}).values()
        ),
        first_trade=None if first is None else _date(first, zone),
        market=_market(meta, zone),
        answered=answered.astimezone(zone),
    )


def _market(meta: Mapping[str, Any], zone: ZoneInfo) -> Market | None:
    periods = meta.get("currentTradingPeriod") or {}
    regular, last_trade = periods.get("regular"), meta.get("regularMarketTime")
    if regular is None or last_trade is None:
        return None
    after_hours = periods.get("post") or regular
    return Market(
        _time(regular["start"], zone),
        _time(regular["end"], zone),
        max(_time(period["end"], zone) for period in (regular, after_hours)),
        _time(last_trade, zone),
    )


def _columns(
    symbol: str, indicators: Mapping[str, Any], count: int
) -> dict[str, tuple[Number, ...]]:
    quotes = indicators["quote"][0]
    if count == 0:
        return {}
    columns = {name: quotes[name] for name in _QUOTES}
    columns["adjusted_close"] = indicators["adjclose"][0]["adjclose"]
    for name, column in columns.items():
        if len(column) != count:
            raise _malformed(symbol, f"has {count} days and {len(column)} numbers of {name}")
        for value in column:
            if not (value is None or type(value) in (int, Decimal)):
                raise _malformed(symbol, f"has {quoted(value)} where {name} should be a number")
    return {name: tuple(column) for name, column in columns.items()}


def _distributions(
    events: Mapping[str, Mapping[str, Any]] | None, zone: ZoneInfo
) -> tuple[Distribution, ...]:
    return tuple(
        Distribution(
            _date(event["date"], zone), _number(event["amount"]), event.get("currency") or None
        )
        for event in (events or {}).values()
    )


def _number(value: Any, divisor: Any = 1) -> Decimal:
    if not all(type(part) in (int, Decimal) for part in (value, divisor)):
        raise ValueError(f"{quoted(value)} is not a number")
    number = Decimal(value) / Decimal(divisor)
    if not number.is_finite():
        raise ValueError(f"{number} is not a number")
    return number


def _time(stamp: Any, zone: ZoneInfo) -> dt.datetime:
    if type(stamp) is not int:
        raise ValueError(f"{quoted(stamp)} is not a time")
    if not _FIRST_SECOND <= stamp <= _LAST_SECOND:
        raise ValueError(f"{stamp} is a time before 1900 or after 2199")
    return dt.datetime.fromtimestamp(stamp, zone)


def _date(stamp: Any, zone: ZoneInfo) -> dt.date:
    """The exchange's date; where clocks changed, Yahoo's midnight is at 22 or 23 the day before."""
    local = _time(stamp, zone)
    if local.minute == 0 and local.hour >= 22:
        local += dt.timedelta(hours=2)
    return local.date()


def _malformed(symbol: str, reason: str, *, transient: bool = False) -> MalformedAnswerError:
    return MalformedAnswerError(symbol, provider=YAHOO, reason=reason, transient=transient)
