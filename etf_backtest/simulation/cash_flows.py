"""Money that comes in and goes out on a schedule."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Annotated, TypeAlias

import numpy as np
from pydantic import BeforeValidator, Field

from etf_backtest.errors import WindowError
from etf_backtest.market.periods import Period
from etf_backtest.market.sessions import as_date, as_session
from etf_backtest.validated import ValidatedModel


def _as_day(value: object) -> object:
    """A day from a date or an ISO string; a number is not taken for a moment since 1970."""
    if isinstance(value, str | dt.date | np.datetime64):
        try:
            return as_date(as_session(value))
        except WindowError as error:
            raise ValueError(str(error)) from None
    raise ValueError("expected a date, written like 2024-01-31")


Day: TypeAlias = Annotated[dt.date, BeforeValidator(_as_day)]


class CashFlow(ValidatedModel):
    """A contribution (above 0) or withdrawal (below 0), once or again and again.

    It arrives at the close of its session, before that day's rebalance; never on the first session
    of the window (the initial capital is there) nor on the last (which never trades).

    Parameters
    ----------
    amount : float, optional
        Currency. Either this or `percent`.
    percent : float, optional
        Fraction of the value at that close, before the day's flows: -0.01 takes out 1 %.
    every : period, optional
        On the last session of each period, as rebalancing. Either this or `on`.
    on : date, optional
        Once, on that day or the next session after it.
    offset : int
        Sessions after the end of the period.
    inflation : float
        A year; the amount grows by (1 + inflation)^(days / 365.25) since the first session.
    start, end : date, optional
        Only from and up to these days.

    Raises
    ------
    InvalidParametersError
        Naming what is missing, too much or out of bounds.
    """

    amount: float | None = Field(None, ge=-1e15, le=1e15, description="Currency; below 0 goes out.")
    percent: float | None = Field(
        None, ge=-1, le=10, description="Fraction of the value; below 0 goes out."
    )
    every: Period | None = Field(None, description="On the last session of each such period.")
    on: Day | None = Field(None, description="Once, on that day or the next session.")
    offset: int = Field(0, ge=0, le=252, description="Sessions after the end of the period.")
    inflation: float = Field(0.0, gt=-1, le=1, description="Growth of the amount a year.")
    start: Day | None = Field(None, description="Not before this day.")
    end: Day | None = Field(None, description="Not after this day.")

    def contradictions(self) -> Iterator[str]:
        """A flow has one size and one time."""
        if (self.amount is None) == (self.percent is None):
            yield "expected either an amount or a percent"
        if (self.every is None) == (self.on is None):
            yield "expected either every (a period) or on (a date)"
        if self.offset and self.every == "daily":
            yield "offset: daily has no end of a period to count from"
        if self.every == "never":
            yield "every: expected a period, not never"
        if self.inflation and self.amount is None:
            yield "inflation belongs to an amount, not to a percent"
        if self.on is not None and (self.offset or self.start or self.end):
            yield "a flow on one date has no offset, start and end"
        if self.start is not None and self.end is not None and self.start > self.end:
            yield f"start {self.start} is after end {self.end}"
