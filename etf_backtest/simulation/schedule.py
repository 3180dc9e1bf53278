"""When targets are decided and filled, and when money comes and goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from etf_backtest.market.periods import period_ends
from etf_backtest.market.sessions import as_date
from etf_backtest.simulation.cash_flows import CashFlow
from etf_backtest.simulation.rebalancing import Rebalancing
from etf_backtest.typing import DateArray, FloatArray, IndexArray

_DAYS_PER_YEAR = 365.25


def decision_rows(dates: DateArray, rebalancing: Rebalancing) -> IndexArray:
    """Rows on which the calendar has targets decided, ascending.

    The first row, and `offset` sessions after the last session of each calendar period (weeks end
    on Sunday). The last row of the window is never one: nothing can follow from it.

    Parameters
    ----------
    dates : ndarray of shape (T,), datetime64[D]
    rebalancing : Rebalancing
    """
    ends = period_ends(dates, rebalancing.period) + rebalancing.offset
    later = ends[(ends > 0) & (ends < dates.size - 1)]
    return np.concatenate((np.zeros(1, dtype=np.intp), later))


def fill_rows(decisions: IndexArray, *, lag: int, sessions: int) -> IndexArray:
    """Rows at whose close each decision is filled; those on the last row or later never are.

    The decisions that are filled are the first ones, as many as rows are returned.
    """
    rows = decisions + lag
    return rows[rows < sessions - 1]


@dataclass(frozen=True, slots=True, eq=False)
class FlowSchedule:
    """What comes in (above 0) and goes out on each row.

    Attributes
    ----------
    amounts : ndarray of shape (T,)
        Currency.
    fractions : ndarray of shape (T,)
        Of the value before the day's flows.
    rows : ndarray
        Rows on which something flows, ascending.
    notes : tuple of str
        Flows that never arrive.
    """

    amounts: FloatArray
    fractions: FloatArray
    rows: IndexArray
    notes: tuple[str, ...]


def flow_schedule(dates: DateArray, flows: Sequence[CashFlow]) -> FlowSchedule:
    """The flows of a window: never on its first row, nor on its last.

    Parameters
    ----------
    dates : ndarray of shape (T,), datetime64[D]
    flows : sequence of CashFlow
    """
    amounts, fractions = np.zeros(dates.size), np.zeros(dates.size)
    some = np.zeros(dates.size, dtype=np.bool_)
    missed = []
    for flow in flows:
        rows = _flow_rows(dates, flow)
        if not rows.size:
            missed.append(flow)
        some[rows] = True
        if flow.percent is not None:
            fractions[rows] += flow.percent
        elif flow.amount is not None:
            years = (dates[rows] - dates[0]).astype(np.float64) / _DAYS_PER_YEAR
            amounts[rows] += flow.amount * (1.0 + flow.inflation) ** years
    return FlowSchedule(amounts, fractions, np.flatnonzero(some), tuple(_missed(dates, missed)))


def _flow_rows(dates: DateArray, flow: CashFlow) -> IndexArray:
    if flow.on is not None:
        rows = np.searchsorted(dates, np.array([flow.on], dtype="datetime64[D]"))
    else:
        rows = period_ends(dates, flow.every or "never") + flow.offset
    rows = rows[(rows >= 1) & (rows < dates.size - 1)]
    if flow.start is not None:
        rows = rows[dates[rows] >= np.datetime64(flow.start)]
    if flow.end is not None:
        rows = rows[dates[rows] <= np.datetime64(flow.end)]
    return rows


def _missed(dates: DateArray, flows: Sequence[CashFlow]) -> Iterator[str]:
    for flow in flows:
        size = f"{flow.amount:,.2f}" if flow.amount is not None else f"{flow.percent:.2%}"
        when = f"on {flow.on}" if flow.on is not None else str(flow.every)
        yield (
            f"the cash flow {size} {when} never arrives: money flows after the first session "
            f"{as_date(dates[0])} and before the last one {as_date(dates[-1])}"
        )
