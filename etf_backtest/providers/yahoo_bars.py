"""Yahoo's answer as bars: one row a session, events on sessions, and what was left out and why."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import numpy as np

from etf_backtest.market.bars import SCALES, UNKNOWN, Bars
from etf_backtest.market.quality import Finding, Level
from etf_backtest.providers.source import PriceBatch
from etf_backtest.providers.yahoo_answers import Chart, Distribution, Number

HOME_CURRENCY = "USD"

_COLUMNS = ("open", "high", "low", "close", "adjusted_close", "volume")
_PRICES = _COLUMNS[:-1]
_LONG_BEFORE = dt.timedelta(days=7)
_SETTLED = dt.timedelta(hours=2)
"""Prices of exchanges that Yahoo shows late, by up to half an hour, have come by then."""


def chart_batch(chart: Chart, *, start: dt.date, end: dt.date | None = None) -> PriceBatch:
    """The sessions of an answer from `start` to `end`, both included, oldest first.

    Numbers are rounded half to even to `SCALES`. Every session has a dividend (0 where there was
    none) and a split ratio (1): Yahoo lists its events, so what is not listed was not.

    Parameters
    ----------
    chart : Chart
    start, end : date
        Rows and events outside were not asked for, and are not reported.

    Returns
    -------
    PriceBatch
        With warnings of sessions left out (running, without prices, given twice), of events moved
        or left out, of capital gains that may be counted in a dividend, of another currency; and
        a reject for each row with a number that cannot be held.
    """
    reading = _Reading(chart, start, end or dt.date.max)
    sessions = dict(reading.sessions())
    dates = sorted(sessions)
    columns = {
        field: np.array([sessions[day][field] for day in dates], dtype=np.int64)
        for field in _COLUMNS
    }
    columns["dividend_amount"] = np.zeros(len(dates), np.int64)
    columns["split_ratio"] = np.full(len(dates), 10 ** SCALES["split_ratio"])
    for row, amount in reading.dividends(dates):
        columns["dividend_amount"][row] = amount
    for row, ratio in reading.splits(dates):
        columns["split_ratio"][row] = ratio
    if chart.currency != HOME_CURRENCY:
        reading.warn("currency", f"prices are in {chart.currency}, not in {HOME_CURRENCY}")
    bars = Bars.from_columns(
        (chart.symbol,) if dates else (),
        np.zeros(len(dates), np.int32),
        np.array(dates, dtype="datetime64[D]"),
        **columns,
    )
    return PriceBatch(bars, tuple(reading.findings))


class _Reading:
    """One answer being read, and what is found in it."""

    def __init__(self, chart: Chart, start: dt.date, end: dt.date) -> None:
        self.chart = chart
        self.start = start
        self.end = end
        self.findings: list[Finding] = []

    def warn(
        self,
        rule: str,
        message: str,
        day: dt.date | None = None,
        *,
        field: str | None = None,
        value: object = None,
        level: Level = Level.WARN,
    ) -> None:
        stated = None if value is None else str(value)
        self.findings.append(
            Finding(rule, level, message, self.chart.symbol, day, field=field, value=stated)
        )

    def sessions(self) -> Iterator[tuple[dt.date, Mapping[str, int]]]:
        """Each session that is over and has prices: its date and its numbers."""
        rows: dict[dt.date, list[int]] = defaultdict(list)
        for row, day in enumerate(self.chart.dates):
            if self.start <= day <= self.end:
                rows[day].append(row)
        for day, given in rows.items():
            if reason := self._unfinished(day):
                self.warn("unfinished_session", f"left out: {reason}", day)
                continue
            kept = self._only_row(day, given)
            if kept is None:
                continue
            values = {field: self.chart.columns[field][kept] for field in _COLUMNS}
            if all(values[field] is None for field in _PRICES):
                self.warn("no_price", "left out: Yahoo has the day, and no price of it", day)
            elif numbers := self._whole_numbers(day, values):
                yield day, numbers

    def _unfinished(self, day: dt.date) -> str | None:
        """Why a session is not known to be over, by what the answer says about the market."""
        chart, market = self.chart, self.chart.market
        if market is None:
            if day < chart.answered.date():
                return None
            return "the answer does not say whether the session is over"
        if day < market.begin.date():
            return None
        if day == market.begin.date() and (
            market.last_trade >= market.end
            # what is traded seldom may have its last price long before the end
            or chart.answered >= market.after_hours_end + _SETTLED
        ):
            return None
        return (
            f"the session ends at {market.end:%H:%M} ({chart.zone.key}), its price is of "
            f"{market.last_trade:%Y-%m-%d %H:%M}"
        )

    def _only_row(self, day: dt.date, rows: Sequence[int]) -> int | None:
        """Which row stands for a day that Yahoo gives more than once."""
        if len(rows) == 1:
            return rows[0]
        contents = {tuple(self.chart.columns[field][row] for field in _COLUMNS) for row in rows}
        # the newest day comes twice while its live price stands beside the day's row
        if len(contents) == 1 or day == max(self.chart.dates):
            self.warn("duplicate_session", "Yahoo gives the day twice: the later row holds", day)
            return rows[-1]
        message = "Yahoo gives the day twice, with different numbers"
        self.warn("duplicate_session", message, day, level=Level.REJECT)
        return None

    def _whole_numbers(self, day: dt.date, values: Mapping[str, Number]) -> dict[str, int]:
        """The numbers in units of `SCALES`; nothing, and a reject, if one cannot be held."""
        numbers: dict[str, int] = {}
        for field, value in values.items():
            whole = UNKNOWN if value is None else _whole(value, SCALES[field])
            if whole is None:
                message = f"{field} {value} cannot be held"
                self.warn("number", message, day, field=field, value=value, level=Level.REJECT)
                return {}
            numbers[field] = whole
        return numbers

    def dividends(self, dates: Sequence[dt.date]) -> Iterator[tuple[int, int]]:
        """Cash per share on its session: the row, and the amount."""
        amounts: dict[int, Decimal | None] = {}
        for ex_date, amount in sorted(self._distributions().items()):
            row = self._row(dates, ex_date, "dividend_amount", amount)
            if row is not None:
                before = amounts.get(row, Decimal(0))
                amounts[row] = None if before is None or amount is None else before + amount
        yield from self._booked(dates, amounts, "dividend_amount")

    def splits(self, dates: Sequence[dt.date]) -> Iterator[tuple[int, int]]:
        """New shares per old share on its session: the row, and the ratio."""
        ratios: dict[int, Decimal | None] = {}
        for split in sorted(self.chart.splits, key=lambda split: split.date):
            row = self._row(dates, split.date, "split_ratio", split.ratio)
            if row is not None:
                ratios[row] = (ratios.get(row) or Decimal(1)) * split.ratio
        yield from self._booked(dates, ratios, "split_ratio")

    def _booked(
        self, dates: Sequence[dt.date], numbers: Mapping[int, Decimal | None], field: str
    ) -> Iterator[tuple[int, int]]:
        for row, number in numbers.items():
            whole = UNKNOWN if number is None else _whole(number, SCALES[field])
            if whole is None:
                message = f"{field} {number} cannot be held: stored as unknown"
                self.warn("number", message, dates[row], field=field, value=number)
            yield row, UNKNOWN if whole is None else whole

    def _distributions(self) -> dict[dt.date, Decimal | None]:
        """Dividends and capital gains by ex-date; None where they are in another currency."""
        dividends = self._by_date(self.chart.dividends)
        gains = self._by_date(self.chart.capital_gains)
        totals = dict(dividends)
        for day, gain in gains.items():
            dividend = dividends.get(day, Decimal(0))
            if gain is None or dividend is None:
                totals[day] = None
            elif dividend < gain:
                totals[day] = dividend + gain
            else:
                self.warn(
                    "capital_gain",
                    f"the dividend {dividend} is taken to contain the capital gain {gain}, as "
                    f"Yahoo's do; if it does not, the distribution was {dividend + gain}",
                    day,
                    field="dividend_amount",
                    value=dividend,
                )
        return totals

    def _by_date(self, events: Iterable[Distribution]) -> dict[dt.date, Decimal | None]:
        amounts: dict[dt.date, Decimal | None] = {}
        for event in events:
            if not self.start <= event.ex_date <= self.end:
                continue
            if event.currency not in (None, self.chart.currency):
                amounts[event.ex_date] = None
                message = (
                    f"a dividend in {event.currency} of prices in {self.chart.currency}: stored "
                    "as unknown"
                )
                self.warn(
                    "dividend_currency",
                    message,
                    event.ex_date,
                    field="dividend_amount",
                    value=event.amount,
                )
                continue
            before = amounts.get(event.ex_date, Decimal(0))
            amounts[event.ex_date] = None if before is None else before + event.amount
        return amounts

    def _row(self, dates: Sequence[dt.date], day: dt.date, field: str, value: object) -> int | None:
        """The first session on or after an event's day: there the price feels it."""
        if not self.start <= day <= self.end:
            return None
        row = bisect_left(dates, day)
        if row == len(dates):
            message = f"{field} {value} left out: its session is not there yet"
            self.warn("event_without_session", message, day, field=field, value=value)
            return None
        if row == 0 and dates[0] - day > _LONG_BEFORE:
            message = f"{field} {value} left out: it is older than all prices"
            self.warn("event_without_session", message, day, field=field, value=value)
            return None
        if dates[row] != day:
            message = f"{field} {value} is of no session: booked on {dates[row]}"
            self.warn("event_moved", message, day, field=field, value=value)
        return row


def _whole(value: Decimal | int, scale: int) -> int | None:
    """A number in units of its last place, half to even; None if 64 bits do not hold it."""
    number = Decimal(value)
    if not number.is_finite() or number.adjusted() > 19 - scale:
        return None
    with localcontext(prec=60):
        whole = int(number.scaleb(scale).to_integral_value(ROUND_HALF_EVEN))
    return whole if -(2**63) < whole < 2**63 else None
