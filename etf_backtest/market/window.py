"""Where a window of sessions lies in a panel."""

from __future__ import annotations

import numpy as np

from etf_backtest.errors import WindowError
from etf_backtest.market.sessions import as_date, as_session
from etf_backtest.typing import DateArray, DateLike


def window_rows(dates: DateArray, start: DateLike | None, end: DateLike | None) -> tuple[int, int]:
    """First row and stop of the window from `start` to `end`; see `PricePanel.window`."""
    if not dates.size:
        raise WindowError(
            "there is no session on which any of the symbols has a price",
            remedy="import prices, or choose other symbols",
        )
    begin = dates[0] if start is None else as_session(start)
    finish = dates[-1] if end is None else as_session(end)
    days = {"start": as_date(begin), "end": as_date(finish)}
    has = f"prices go from {as_date(dates[0])} to {as_date(dates[-1])}"
    if begin > finish:
        raise WindowError(
            f"the window starts on {days['start']}, after its end on {days['end']}",
            remedy="exchange the dates" if start is not None and end is not None else has,
            **days,
        )
    if begin < dates[0] or finish > dates[-1]:
        raise WindowError(
            f"the window {days['start']} to {days['end']} is not covered: {has}",
            remedy="choose a window inside, or import more prices",
            **days,
        )
    first = int(np.searchsorted(dates, begin))
    stop = int(np.searchsorted(dates, finish, side="right"))
    if first < stop and dates[first] != begin:
        raise WindowError(
            f"{days['start']} is not a session",
            remedy=f"the next session is {as_date(dates[first])}",
            **days,
        )
    if (count := stop - first) < 2:
        raise WindowError(
            f"the window {days['start']} to {days['end']} has {count} "
            f"session{'s'[: count != 1]}, expected at least 2",
            remedy="choose a longer window",
            **days,
        )
    return first, stop


def session_row(dates: DateArray, date: DateLike) -> int:
    """The row of the first session on or after `date`.

    Raises
    ------
    WindowError
        There is none.
    """
    session = as_session(date)
    row = int(np.searchsorted(dates, session))
    if row == dates.size:
        last = f"the last one is {as_date(dates[-1])}" if dates.size else "there is none at all"
        raise WindowError(f"there is no session on or after {session}", remedy=last)
    return row
