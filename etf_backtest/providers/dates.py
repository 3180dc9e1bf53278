"""Columns of cells as sessions: dates without a clock time."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from etf_backtest.errors import LayoutError
from etf_backtest.errors.wording import quoted
from etf_backtest.providers.decimals import is_text
from etf_backtest.providers.layouts import DateForm
from etf_backtest.typing import DateArray

if TYPE_CHECKING:
    import pyarrow as pa

NO_DATE = np.datetime64("NaT", "D")

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MIDNIGHT = re.compile(r"(\d{4}-\d{2}-\d{2})( 00:00:00([+-]\d{2}:\d{2})?)?", re.ASCII)
_COMPACT = re.compile(r"\d{8}", re.ASCII)
_CLOCK = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d", re.ASCII)
_EXPECTED: Mapping[DateForm, str] = {
    "iso": "2024-01-31",
    "midnight": "2024-01-31",
    "compact": "20240131",
}
_FIRST = np.datetime64("0001-01-01", "D")
_LAST = np.datetime64("9999-12-31", "D")


def sessions(column: pa.Array[Any], form: DateForm) -> tuple[DateArray, dict[int, str]]:
    """The dates of a column.

    Parameters
    ----------
    column : pyarrow.Array of strings, dates or timestamps
    form : {"iso", "midnight", "compact"}
        How a string is written: 2024-01-31, the same or with midnight's clock time, or 20240131.

    Returns
    -------
    dates : ndarray of datetime64[D]
        NaT where there is none.
    problems : dict of int to str
        What is wrong with the cells that are no date, by position.

    Raises
    ------
    LayoutError
        The column has no dates by its type, or has a time zone.
    """
    import pyarrow as pa
    import pyarrow.types as kind

    if is_text(column.type):
        return _parsed(column, form)
    if kind.is_timestamp(column.type):
        if column.type.tz is not None:
            raise LayoutError(
                f"has dates with the time zone {column.type.tz}",
                remedy="take the zone off: tz_localize(None), at midnight",
            )
    elif kind.is_null(column.type):
        column = column.cast(pa.date32())
    elif not kind.is_date(column.type):
        raise LayoutError(
            f"has the type {column.type} in the column date", remedy="convert it to dates"
        )
    return _days(column)


def _parsed(column: pa.Array[Any], form: DateForm) -> tuple[DateArray, dict[int, str]]:
    """Each different text once: there are few dates in many rows."""
    import pyarrow as pa

    encoded = column.dictionary_encode()
    assert isinstance(encoded, pa.DictionaryArray)  # noqa: S101  # for the type checker
    texts = encoded.dictionary.to_pylist()
    known = np.full(len(texts) + 1, NO_DATE)
    messages = {}
    for position, text in enumerate(texts):
        try:
            known[position] = _date(str(text).strip(), form)
        except ValueError as error:
            messages[position] = str(error)
    codes = encoded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
    dates = known[codes]
    problems = {
        int(row): messages.get(int(codes[row]), "has no date")
        for row in np.flatnonzero(np.isnat(dates))
    }
    return dates, problems


def _date(text: str, form: DateForm) -> dt.date:
    """The date; fromisoformat() alone would take 20240131 and 2024-W05 as well."""
    iso: str | None = None
    if form == "compact":
        if _COMPACT.fullmatch(text):
            iso = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    elif form == "midnight":
        found = _MIDNIGHT.fullmatch(text)
        iso = found[1] if found else None
    elif _ISO.fullmatch(text):
        iso = text
    clock = " (it has a clock time)" if _CLOCK.match(text) else ""
    message = f"{quoted(text)} is not a date like {_EXPECTED[form]}{clock}"
    if iso is None:
        raise ValueError(message)
    try:
        return dt.date.fromisoformat(iso)
    except ValueError as error:
        raise ValueError(message) from error


def _days(column: pa.Array[Any]) -> tuple[DateArray, dict[int, str]]:
    moments = column.to_numpy(zero_copy_only=False)
    days = moments.astype("datetime64[D]")
    missing = np.isnat(days)
    clock = ~missing & (days != moments)
    far = ~missing & ((days < _FIRST) | (days > _LAST))
    problems = dict.fromkeys(np.flatnonzero(missing).tolist(), "has no date")
    for row in np.flatnonzero(clock):
        time, _, fraction = str(moments[row]).partition(".")
        fraction = f".{fraction}" if fraction.strip("0") else ""
        problems[int(row)] = f"{time}{fraction} is not a date: it has a clock time"
    for row in np.flatnonzero(far):
        problems[int(row)] = f"{days[row]} is not a date of the years 1 to 9999"
    return np.where(clock | far, NO_DATE, days), problems
