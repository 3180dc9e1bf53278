"""Each drawdown of a window: when it began, how deep it went, and when it was made good."""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from etf_backtest.errors import InvalidParametersError
from etf_backtest.errors.wording import quoted
from etf_backtest.market.sessions import as_date
from etf_backtest.metrics.sample import Sample
from etf_backtest.typing import DateArray, FloatArray

if TYPE_CHECKING:
    import pandas as pd

SHALLOWEST = 1e-12
"""A fall by less than this part of the peak is rounding, and no drawdown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawdown:
    """One fall from a peak until the value is back there.

    `start` is the last session at the peak, `trough` the session of the lowest value, `recovery`
    the first session back at the peak; None where the window ends before. `depth` is a fraction,
    below 0. Lengths are counted from `start`, in sessions and in calendar days; those of a drawdown
    that has not recovered end with the window, and its lengths to recovery are None.
    """

    start: dt.date
    trough: dt.date
    recovery: dt.date | None
    depth: float
    sessions_to_trough: int
    sessions_to_recovery: int | None
    sessions: int
    days_to_trough: int
    days_to_recovery: int | None
    days: int


def drawdown_table(
    returns: ArrayLike, dates: DateArray, *, limit: int | None = None
) -> tuple[Drawdown, ...]:
    """Drawdowns of a series of returns, the deepest first; of equal ones the earlier first.

    Parameters
    ----------
    returns : array of shape (n,)
    dates : array of shape (n + 1,)
        The session of the initial value first; that value is a peak, too.
    limit : int, optional
        How many at most; defaults to all.

    Raises
    ------
    InvalidParametersError
        `limit` is no whole number.
    ReturnsError, PriceDataError
        Returns or dates that are none.
    """
    most = None if limit is None else _checked_limit(limit)
    sample = Sample(returns, dates=dates)
    with np.errstate(all="ignore"):
        below = np.concatenate(([0.0], sample.drawdowns))
    under = below < -SHALLOWEST
    edges = np.diff(under.astype(np.int8))
    starts = np.flatnonzero(edges == 1)
    ends = np.flatnonzero(edges == -1) + 1
    table = [
        _drawdown(below, sample.dates, int(start), int(ends[k]) if k < ends.size else None)
        for k, start in enumerate(starts)
    ]
    table.sort(key=lambda drawdown: drawdown.depth)
    return tuple(table[:most])


def _checked_limit(limit: int) -> int:
    try:
        return max(operator.index(limit), 0)
    except TypeError:
        raise InvalidParametersError(
            "drawdown_table", [f"limit: expected a whole number, received {quoted(limit)}"]
        ) from None


def drawdown_frame(table: Sequence[Drawdown]) -> pd.DataFrame:
    """The rows as a pandas frame; dates as datetime64, NaT and NA where not recovered."""
    import pandas as pd  # late: importing it costs more than the table

    frame = pd.DataFrame(
        [asdict(row) for row in table], columns=list(Drawdown.__dataclass_fields__)
    )
    for name in ("start", "trough", "recovery"):
        frame[name] = pd.to_datetime(frame[name])
    for name in frame.columns[4:]:
        frame[name] = frame[name].astype("Int64")
    return frame


def _drawdown(below: FloatArray, dates: DateArray, start: int, recovery: int | None) -> Drawdown:
    end = below.size - 1 if recovery is None else recovery
    trough = start + int(below[start : end + 1].argmin())

    def days(row: int) -> int:
        return int((dates[row] - dates[start]) / np.timedelta64(1, "D"))

    return Drawdown(
        start=as_date(dates[start]),
        trough=as_date(dates[trough]),
        recovery=None if recovery is None else as_date(dates[recovery]),
        depth=float(below[trough]),
        sessions_to_trough=trough - start,
        sessions_to_recovery=None if recovery is None else recovery - start,
        sessions=end - start,
        days_to_trough=days(trough),
        days_to_recovery=None if recovery is None else days(recovery),
        days=days(end),
    )
