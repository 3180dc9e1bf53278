"""How yfinance speaks with Yahoo here: through a session that looks at each answer first.

yfinance takes a failed request for a symbol that may be delisted, asks twice where it is told to
wait, and keeps failures in memory. The session of this module raises what really happened before
yfinance gets to see it, and hands out the answer as it came. It is a plain curl_cffi session
otherwise: cookies, crumb and consent are yfinance's business.

This module imports yfinance: import it late.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yfinance  # type: ignore[import-untyped]
from curl_cffi.const import CurlECode
from curl_cffi.requests import Response, Session
from curl_cffi.requests.exceptions import IncompleteRead, RequestException, Timeout
from peewee import PeeweeException  # type: ignore[import-untyped]
from yfinance.data import YfData  # type: ignore[import-untyped]
from yfinance.exceptions import YFException  # type: ignore[import-untyped]

from etf_backtest.errors import (
    MalformedAnswerError,
    ProviderCacheError,
    ProviderError,
    ProviderUnavailableError,
    RateLimitedError,
)
from etf_backtest.providers.yahoo_answers import YAHOO, Chart, read_chart, refusal
from etf_backtest.providers.yahoo_connection import YahooConnection
from etf_backtest.settings import private_folder

_CHART = "/v8/finance/chart/"
_TOO_MANY = (429, 999)
_DENIED = (401, 403)

_UNREADABLE = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)
"""What yfinance raises over an answer that it does not expect."""

_ONE_AT_A_TIME = threading.Lock()


class ObservedSession(Session[Response]):
    """A session that reads every answer about prices before yfinance does."""

    def __init__(self, connection: YahooConnection) -> None:
        super().__init__(
            impersonate="chrome",
            proxy=connection.proxy,
            # curl takes a file too
            verify=True if connection.ca_file is None else str(connection.ca_file),  # type: ignore[arg-type]
        )
        self.seconds = connection.timeout
        self.watching = False
        self.chart: Chart | None = None
        self.denial: ProviderError | None = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look at answers; otherwise this is a session like any other.

        yfinance has one session a process and keeps it: others may use it afterwards.
        """
        with _ONE_AT_A_TIME:
            self.forget()
            self.watching = True
            try:
                yield
            finally:
                self.watching = False

    def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Response:
        """Send a request, and look at the answer if it is about prices."""
        if not self.watching:
            return super().request(method, url, *args, **kwargs)
        kwargs["timeout"] = self.seconds
        asked_for = _symbol(url)
        try:
            response = super().request(method, url, *args, **kwargs)
        except RequestException as error:
            if asked_for is None:
                raise  # a cookie or crumb: yfinance goes on without
            raise _unavailable(asked_for, error, self.seconds) from error
        # where Yahoo wants consent first, prices come in answer to the form
        if (symbol := _symbol(response.url)) is not None:
            self._look_at(symbol, response)
        return response

    def forget(self) -> None:
        """Have no answer."""
        self.chart = self.denial = None

    def _look_at(self, symbol: str, response: Response) -> None:
        self.forget()
        status, text = response.status_code, response.text
        if status in _TOO_MANY:
            wait = _seconds(response.headers.get("Retry-After"))
            raise RateLimitedError(symbol, provider=YAHOO, status=status, retry_after=wait)
        if status >= 500:
            raise ProviderUnavailableError(
                symbol, provider=YAHOO, reason=f"failed (HTTP {status})", status=status
            )
        if status in _DENIED:
            self.denial = refusal(symbol, status, text)  # yfinance tries with another cookie
        elif status >= 400:
            raise refusal(symbol, status, text)
        else:
            chart = read_chart(symbol, text, answered=_moment(response.headers.get("Date")))
            # the first answer about a symbol is only for its time zone
            self.chart = chart if "period1=" in urlsplit(response.url).query else None


@dataclass(frozen=True, slots=True)
class YahooCharts:
    """Asks Yahoo for daily charts, one symbol at a time."""

    session: ObservedSession
    folder: Path
    narrate: Callable[[str], None]

    def chart(self, symbol: str, start: dt.date, end: dt.date | None) -> Chart:
        """Ask once for everything from `start` to `end`, both included.

        Raises
        ------
        ProviderError
        """
        with self.session.watched(), _errors_raised(), _log_narrated(self.narrate):
            try:
                self._history(symbol, start, end)
            except PeeweeException as error:
                folder = str(self.folder)
                raise ProviderCacheError(
                    symbol, provider=YAHOO, folder=folder, reason=str(error)
                ) from error
            except RequestException as error:  # of the form of consent
                raise _unavailable(symbol, error, self.session.seconds) from error
            except (YFException, *_UNREADABLE) as error:
                # yfinance does not read what it was given, or was given nothing to read
                if self.session.denial is not None:
                    raise self.session.denial from error
                if self.session.chart is None or self.session.chart.dates:
                    raise MalformedAnswerError(
                        symbol,
                        provider=YAHOO,
                        reason=f"is nothing that yfinance reads: {type(error).__name__}: {error}",
                    ) from error
        chart = self.session.chart
        if chart is None:
            raise MalformedAnswerError(symbol, provider=YAHOO, reason="did not come")
        return chart

    def _history(self, symbol: str, start: dt.date, end: dt.date | None) -> None:
        # yfinance keeps answers of the past, failed ones too
        YfData.cache_get.cache_clear()
        with warnings.catch_warnings():
            # its use of pandas is its own affair
            warnings.filterwarnings("ignore", module=r"yfinance\.")
            yfinance.Ticker(symbol, session=self.session).history(
                start=start,
                end=None if end is None else end + dt.timedelta(days=1),
                interval="1d",
                auto_adjust=False,
                back_adjust=False,
                actions=True,
                repair=False,
                keepna=True,
                timeout=self.session.seconds,
            )


def open_charts(
    cache_dir: Path, connection: YahooConnection, narrate: Callable[[str], None]
) -> YahooCharts:
    """Charts through yfinance, which keeps its cookies and time zones under `cache_dir`."""
    folder = cache_dir / "yfinance"
    with suppress(OSError):  # it says itself where it cannot keep anything
        private_folder(folder)
    yfinance.set_tz_cache_location(str(folder))
    return YahooCharts(ObservedSession(connection), folder, narrate)


@contextmanager
def _errors_raised() -> Iterator[None]:
    """Have yfinance raise what it would log; its own default comes back afterwards."""
    debug = yfinance.config.debug
    hidden = debug.hide_exceptions
    debug.hide_exceptions = False
    try:
        yield
    finally:
        debug.hide_exceptions = hidden


class _Narrated(logging.Handler):
    def __init__(self, narrate: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._narrate = narrate

    def emit(self, record: logging.LogRecord) -> None:
        self._narrate(f"yfinance: {record.getMessage()}")


@contextmanager
def _log_narrated(narrate: Callable[[str], None]) -> Iterator[None]:
    """Have yfinance's warnings told where everything is told, and not on the bare terminal."""
    logger = logging.getLogger("yfinance")
    handler = _Narrated(narrate)
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates


def _symbol(url: str) -> str | None:
    """The symbol whose prices a URL is about."""
    parts = urlsplit(url)
    if not ((parts.hostname or "").endswith(".yahoo.com") and parts.path.startswith(_CHART)):
        return None
    return unquote(parts.path.removeprefix(_CHART)).upper()


def _unavailable(symbol: str, error: RequestException, seconds: float) -> ProviderError:
    if isinstance(error, IncompleteRead) or error.code == CurlECode.RECV_ERROR:
        reason = "broke off before its answer was complete"
    elif isinstance(error, Timeout):
        reason = f"did not answer within {seconds:g} seconds"
    else:
        said, _, _ = str(error).partition(" See https:")
        reason = f"cannot be reached: {said}"
    return ProviderUnavailableError(symbol, provider=YAHOO, reason=reason)


def _seconds(retry_after: str | None) -> float | None:
    """What a Retry-After header says, in seconds or as a date; None if it says neither."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    until = _http_date(retry_after)
    if until is None:
        return None
    return max((until - dt.datetime.now(dt.UTC)).total_seconds(), 0.0)


def _moment(date: str | None) -> dt.datetime:
    """What a Date header says; by our own clock if it says nothing."""
    return (None if date is None else _http_date(date)) or dt.datetime.now(dt.UTC)


def _http_date(text: str) -> dt.datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
