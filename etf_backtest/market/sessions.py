"""Dates of exchange sessions: days without a clock time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from etf_backtest.errors import PriceDataError, WindowError
from etf_backtest.errors.wording import quoted
from etf_backtest.typing import DateArray, DateLike, IndexArray

if TYPE_CHECKING:
    import pandas as pd

_DAY = np.timedelta64(1, "D")
_EARLIEST, _LATEST = np.datetime64("1678-01-01"), np.datetime64("2262-04-11")
"""pandas counts nanoseconds in 64 bits: beyond these days its dates are others."""

LONGEST_CLOSURE = 4
"""Weekdays in a row without a session: New York, September 2001. More than that is a hole."""


def as_date(session: np.datetime64) -> dt.date:
    """The same day as a `datetime.date`."""
    date: dt.date = session.astype("datetime64[D]").item()
    return date


def as_session(value: DateLike) -> np.datetime64:
    """One day, from a date, a datetime at midnight, a datetime64 or an ISO string.

    Raises
    ------
    WindowError
        Not a date from 1678 to 2262 (those that pandas can count in nanoseconds), or a moment with
        a clock time or a time zone.
    """
    session = value.astype("datetime64[D]") if isinstance(value, np.datetime64) else _day(value)
    if np.isnat(session) or (isinstance(value, np.datetime64) and session != value):
        raise WindowError(f"{value} is not a date", remedy="give a day, without a clock time")
    if not _EARLIEST <= session <= _LATEST:
        raise WindowError(
            f"{session} is not a date that can be used",
            remedy=f"give one from {_EARLIEST} to {_LATEST}",
        )
    return session


def _day(value: object) -> np.datetime64:
    """From a date, a datetime at midnight or an ISO string."""
    if isinstance(value, str):
        try:
            value = dt.date.fromisoformat(value)
        except ValueError:
            value = quoted(value)
    elif isinstance(value, dt.datetime) and value == value:  # pandas' NaT is not itself
        if value.tzinfo is not None or value.time() != dt.time():
            raise WindowError(
                f"{value.isoformat()} is a moment, expected a session",
                remedy="give a date, without clock time and time zone",
            )
        return np.datetime64(value.date(), "D")
    if isinstance(value, dt.date) and value == value:
        return np.datetime64(value, "D")
    said = value if isinstance(value, str) else quoted(value)
    raise WindowError(f"{said} is not a date", remedy="write it like 2024-01-31")


def as_sessions(index: pd.Index | DateArray | Sequence[dt.date]) -> DateArray:
    """Days from the index of a frame or an array, in the same order.

    Raises
    ------
    PriceDataError
        The index is not made of dates in a row, from 1678 to 2262 (those that pandas can count in
        nanoseconds), or has NaT, a clock time or a time zone.
    """
    if getattr(index, "tz", None) is not None:
        raise PriceDataError(
            "the dates have a time zone, expected exchange sessions",
            remedy="take the exchange's local dates: index.tz_localize(None).normalize()",
        )
    values = _in_a_row(index)
    if values.dtype == object and all(type(value) is dt.date for value in values):
        values = values.astype("datetime64[D]")
    if values.size == 0:
        return np.array([], dtype="datetime64[D]")
    if values.dtype.kind != "M":
        raise PriceDataError(
            f"the index has the type {values.dtype}, expected dates",
            remedy="index the prices by a pandas DatetimeIndex, datetime64 or datetime.date",
        )
    if np.isnat(values).any():
        raise PriceDataError("the index has a missing date (NaT)", remedy="drop that row")
    sessions: DateArray = values.astype("datetime64[D]")
    beyond = np.flatnonzero((sessions < _EARLIEST) | (sessions > _LATEST))
    if beyond.size:
        raise PriceDataError(
            f"{sessions[beyond[0]]} is not a date that can be used",
            remedy=f"give dates from {_EARLIEST} to {_LATEST}",
        )
    with_time = np.flatnonzero(sessions != values)
    if with_time.size:
        raise PriceDataError(
            f"{values[with_time[0]]} has a clock time, expected exchange sessions",
            remedy="normalize() the index",
        )
    return sessions


def _in_a_row(index: object) -> NDArray[Any]:
    try:
        values = np.asarray(index)
    except ValueError:  # sequences of different lengths
        values = np.empty(())
    if values.ndim != 1:
        said = f"the shape {values.shape}" if values.ndim else quoted(index)
        raise PriceDataError(
            f"expected dates in a row, received {said}",
            remedy="give a DatetimeIndex, or an array of datetime64 of one dimension",
        )
    return values


def aligned(
    calendars: Sequence[DateArray],
) -> tuple[DateArray, tuple[IndexArray | slice, ...]]:
    """Every session of several, ascending ones, and on which of its rows the sessions of each are.

    Most funds trade on the same days: then nothing has to be looked for.
    """
    first = calendars[0]
    if all(each is first or np.array_equal(each, first) for each in calendars):
        return first.copy(), (slice(0, first.size),) * len(calendars)
    dates = np.unique(np.concatenate(calendars))
    return dates, tuple(np.searchsorted(dates, each) for each in calendars)


def check_ascending(dates: DateArray, *, symbol: str | None = None) -> None:
    """Demand dates that strictly ascend.

    Raises
    ------
    PriceDataError
        A date stands twice, or before its predecessor.
    """
    steps = np.diff(dates)
    wrong = np.flatnonzero(steps < _DAY)
    if not wrong.size:
        return
    of = f"{symbol}: " if symbol else ""
    previous, date = as_date(dates[wrong[0]]), as_date(dates[wrong[0] + 1])
    if previous == date:
        raise PriceDataError(
            f"{of}the date {date} stands twice",
            symbol=symbol,
            date=date,
            remedy="keep one row a session",
        )
    raise PriceDataError(
        f"{of}the dates are not sorted: {date} follows {previous}",
        symbol=symbol,
        date=date,
        remedy="sort them, oldest first",
    )
