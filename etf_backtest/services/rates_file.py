"""Annual rates by date, from a CSV file."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from pathlib import Path

from etf_backtest.errors import RateError
from etf_backtest.errors.wording import quoted, shortened
from etf_backtest.market.rates import DatedRates
from etf_backtest.providers.small_file import NoTextError, small_text

HEADER = ("date", "rate")
REMEDY = "two columns, date,rate, such as 2020-03-16,0.0025 for 0.25 % a year from that day on"


def read_rates(path: Path) -> DatedRates:
    """A CSV file with the columns date and rate: what is in force from each date on.

    Parameters
    ----------
    path : Path
        Dates are ISO 8601, rates fractions a year; rows may come in any order.

    Raises
    ------
    RateError
        Naming the file and the row that cannot be used.
    """
    rates: dict[dt.date, float] = {}
    try:
        rows = csv.reader(io.StringIO(small_text(path), newline=""))
        header = tuple(name.strip().lower() for name in next(rows, ()))
        if header != HEADER:
            raise _refused(path, f"the columns are {shortened(','.join(header)) or 'missing'}")
        for cells in rows:
            if cells:
                date, rate = _row(path, rows.line_num, cells)
                if date in rates:
                    raise _refused(path, f"row {rows.line_num}: {date} is there twice")
                rates[date] = rate
    except NoTextError as error:
        remedy = None if error.message.startswith("cannot be read") else REMEDY
        raise RateError(f"{path.name}: {error.message}", remedy=remedy) from error
    except csv.Error as error:
        raise _refused(path, "it is no CSV file") from error
    if not rates:
        raise _refused(path, "there are no rates")
    ordered = sorted(rates.items())
    try:
        return DatedRates(tuple(date for date, _ in ordered), tuple(rate for _, rate in ordered))
    except RateError as error:
        raise RateError(f"{path.name}: {error.message}", remedy=error.remedy) from error


def _row(path: Path, number: int, cells: list[str]) -> tuple[dt.date, float]:
    try:
        day, rate = (cell.strip() for cell in cells)
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", day, re.ASCII) is None:
            raise ValueError(day)  # noqa: TRY301  # fromisoformat takes other forms, too
        return dt.date.fromisoformat(day), float(rate)
    except ValueError:
        said = quoted(",".join(cells))
        raise _refused(path, f"row {number}: {said} is no date and rate") from None


def _refused(path: Path, message: str) -> RateError:
    return RateError(f"{path.name}: {message}", remedy=REMEDY)
