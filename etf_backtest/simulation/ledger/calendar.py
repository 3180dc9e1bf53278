"""When targets are decided and money flows: each session's date beside the next one's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import pairwise

from etf_backtest.market.periods import Period
from etf_backtest.simulation.cash_flows import CashFlow
from etf_backtest.simulation.rebalancing import Rebalancing


def decisions(dates: Sequence[dt.date], rebalancing: Rebalancing) -> frozenset[int]:
    """Rows of the window on which the calendar asks for targets: the first, and ends of periods."""
    ends = period_ends(dates, rebalancing.period)
    return frozenset({0} | {end + rebalancing.offset for end in ends})


def flow_rows(dates: Sequence[dt.date], flow: CashFlow) -> list[int]:
    """Rows on which a cash flow arrives: never the first and never the last of the window."""
    if flow.on is not None:
        rows = [row for row, date in enumerate(dates) if date >= flow.on][:1]
    elif flow.every is not None:
        rows = [end + flow.offset for end in period_ends(dates, flow.every)]
    return [
        row
        for row in rows
        if 0 < row < len(dates) - 1
        and (flow.start is None or flow.start <= dates[row])
        and (flow.end is None or dates[row] <= flow.end)
    ]


def period_ends(dates: Sequence[dt.date], period: Period) -> list[int]:
    """Rows whose next session is in another period."""
    return [
        row
        for row, (day, following) in enumerate(pairwise(dates))
        if parts(day, period) != parts(following, period)
    ]


def parts(day: dt.date, period: Period) -> tuple[int, ...]:
    """What all days of one period have in common."""
    match period:
        case "never":
            return ()
        case "daily":
            return (day.year, day.month, day.day)
        case "weekly":
            return day.isocalendar()[:2]
        case "monthly":
            return (day.year, day.month)
        case "quarterly":
            return (day.year, (day.month + 2) // 3)
        case "semiannual":
            return (day.year, int(day.month > 6))
        case "annual":
            return (day.year,)
