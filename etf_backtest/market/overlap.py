"""How like a fund its proxy was where there are prices of both."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from etf_backtest.errors import SpliceError
from etf_backtest.market.drag import drag_levels
from etf_backtest.market.series import PriceSeries
from etf_backtest.market.sessions import as_date
from etf_backtest.market.splice import Splice
from etf_backtest.typing import FloatArray

SESSIONS_PER_YEAR = 252
"""For annualising, as in docs/conventions.md."""
LEAST_SESSIONS = 21
"""A month: of fewer, tracking error and correlation say nothing."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """A fund against its proxy, after the fee, from the splice date on.

    Attributes
    ----------
    start, end : date
        The first and the last session on which both have a price; the first is the splice date.
    sessions : int
        On how many both have one. Returns go from each of them to the next.
    tracking_error : float or None
        Annual standard deviation of the fund's returns less its proxy's (ddof=1, sqrt(252)), a
        fraction; None with fewer than 21 sessions.
    correlation : float or None
        Pearson's, of the returns; None with fewer than 21 sessions, or where one of the two did not
        move.
    warnings : tuple of str
        Why there is no number.
    """

    start: dt.date
    end: dt.date
    sessions: int
    tracking_error: float | None
    correlation: float | None
    warnings: tuple[str, ...]


def overlap(own: PriceSeries, proxy: PriceSeries, splice: Splice) -> Overlap:
    """Compare a fund with its proxy on the sessions of both, from the splice date on.

    Parameters
    ----------
    own, proxy : PriceSeries
        Of the splice's symbol and proxy.
    splice : Splice

    Raises
    ------
    SpliceError
        One has no price on the splice date.
    """
    since = np.datetime64(splice.date)
    dates, mine, its = np.intersect1d(own.dates, proxy.dates, return_indices=True)
    rows = dates >= since
    dates, mine, its = dates[rows], mine[rows], its[rows]
    if not dates.size or dates[0] != since:
        raise SpliceError(
            splice.symbol,
            splice.proxy,
            f"they do not both have a price on {splice.date}",
            remedy="splice them on a session on which both have a price",
        )
    first, ratios = int(its[0]), {splice.proxy: splice.annual_fee}
    fees = drag_levels(proxy.dates[first:], (splice.proxy,), ratios, anchor=0)[its - first, 0]
    returns = _returns(own.prices[mine]), _returns(proxy.prices[its] * fees)
    start, end = as_date(dates[0]), as_date(dates[-1])
    pair = f"{splice.symbol} and {splice.proxy}"
    if dates.size < LEAST_SESSIONS:
        short = (
            f"{pair} share {dates.size} session{'s'[: dates.size != 1]} from {start} on, fewer "
            f"than {LEAST_SESSIONS}: tracking error and correlation are not known"
        )
        return Overlap(start, end, int(dates.size), None, None, (short,))
    error = float(np.std(returns[0] - returns[1], ddof=1) * np.sqrt(SESSIONS_PER_YEAR))
    correlation = _correlation(*returns)
    still = (f"{pair}: one of them does not move, so there is no correlation",)
    return Overlap(
        start, end, int(dates.size), error, correlation, still if correlation is None else ()
    )


def _returns(prices: FloatArray) -> FloatArray:
    returns: FloatArray = prices[1:] / prices[:-1] - 1.0
    return returns


def _correlation(x: FloatArray, y: FloatArray) -> float | None:
    """Pearson's correlation; None where rounding is all that moves one of them."""
    noise = 1e-14 * np.sqrt(x.size)
    dx, dy = x - x.mean(), y - y.mean()
    sizes = float(np.linalg.norm(dx)), float(np.linalg.norm(dy))
    if min(sizes) <= noise:
        return None
    return min(1.0, max(-1.0, float(dx @ dy) / (sizes[0] * sizes[1])))
