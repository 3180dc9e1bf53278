"""Which holding brought how much of the return, and of the risk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from etf_backtest.errors import ReturnsError, UndefinedMetricError
from etf_backtest.metrics.checks import as_numbers, checked_returns
from etf_backtest.metrics.sample import NOT_FINITE, SESSIONS_PER_YEAR, centred, scatter, varies
from etf_backtest.typing import FloatArray

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Contribution:
    """Parts of a total: sum(holdings) + residual = total.

    Attributes
    ----------
    holdings : ndarray of shape (N,)
    residual : float
        What no holding brought: interest, costs.
    total : float
        Total return, or annual volatility.
    """

    holdings: FloatArray
    residual: float
    total: float

    def to_series(self, symbols: Sequence[str]) -> pd.Series[float]:
        """Parts by symbol, then `residual` and `total`."""
        import pandas as pd  # late: importing it costs more than the numbers

        if len(symbols) != self.holdings.size:
            raise ReturnsError(
                f"symbols: expected {self.holdings.size}, one for each holding, "
                f"received {len(symbols)}",
                remedy="give the symbols in the order of the weights",
            )
        return pd.Series(
            [*self.holdings, self.residual, self.total], index=[*symbols, "residual", "total"]
        )


def contribution_to_return(
    weights_before: ArrayLike, asset_returns: ArrayLike, portfolio_returns: ArrayLike
) -> Contribution:
    """Part of the total return that each holding brought.

    What holding i adds in session t, weight * return, counts as much as the portfolio was worth
    before it: contribution_i = sum over t of w_ti * r_ti * prod over s < t of (1 + R_s). That is
    the money it earned for each unit of initial capital; the parts add up without a correction, and
    nothing breaks where a session loses everything. It is the linking of A. S. B. Frongello,
    "Linking Single Period Attribution Results", Journal of Performance Measurement 6 (2002), 10-22,
    without a benchmark.

    Parameters
    ----------
    weights_before : array of shape (n, N)
        Fractions of the value at the start of each session, after the trades of the one before.
    asset_returns : array of shape (n, N)
        Simple returns of the holdings.
    portfolio_returns : array of shape (n,)
        Time-weighted returns of the portfolio.

    Raises
    ------
    ReturnsError
        Not finite, or shapes that do not fit.
    UndefinedMetricError
        The value is beyond float64.
    """
    parts, residual, portfolio = _parts(weights_before, asset_returns, portfolio_returns)
    with np.errstate(all="ignore"):
        values = np.concatenate(([1.0], np.cumprod(1.0 + portfolio)))
        return _contribution(
            values[:-1] @ parts, float(values[:-1] @ residual), float(values[-1]) - 1.0
        )


def contribution_to_risk(
    weights_before: ArrayLike, asset_returns: ArrayLike, portfolio_returns: ArrayLike
) -> Contribution:
    """Part of the annual volatility that each holding brought.

    Euler's decomposition of the realised volatility: with c_ti = w_ti * r_ti, it is
    cov(c_i, R) / std(R) * sqrt(252), ddof = 1. A holding that moved against the portfolio has a
    part below 0. D. Tasche, "Risk Contributions and Performance Measurement" (1999).

    Parameters
    ----------
    weights_before, asset_returns, portfolio_returns
        As for `contribution_to_return`.

    Raises
    ------
    ReturnsError
        Not finite, or shapes that do not fit.
    UndefinedMetricError
        The portfolio's returns are constant, or there is one only.
    """
    parts, residual, portfolio = _parts(weights_before, asset_returns, portfolio_returns)
    with np.errstate(all="ignore"):
        deviation = scatter(portfolio)
        if not varies(portfolio, deviation):
            raise UndefinedMetricError("returns do not vary")
        # the deviation of the portfolio has a mean of 0: that of the parts plays no role
        weights = centred(portfolio) / ((portfolio.size - 1) * deviation)
        weights *= math.sqrt(SESSIONS_PER_YEAR)
        total = deviation * math.sqrt(SESSIONS_PER_YEAR)
        return _contribution(weights @ parts, float(weights @ residual), total)


def _parts(
    weights_before: ArrayLike, asset_returns: ArrayLike, portfolio_returns: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """What each holding added in each session (n, N), what is left (n,), and the returns (n,)."""
    portfolio = checked_returns("portfolio_returns", portfolio_returns)
    weights = as_numbers("weights_before", weights_before)
    assets = as_numbers("asset_returns", asset_returns)
    for name, array in (("weights_before", weights), ("asset_returns", assets)):
        if array.ndim != 2 or array.shape[0] != portfolio.size or array.shape != weights.shape:
            raise ReturnsError(
                f"{name}: expected ({portfolio.size}, holdings), received {array.shape}",
                remedy="weights and returns of each holding, one row a session",
            )
        bad = np.argwhere(~np.isfinite(array))
        if bad.size:
            row, column = (int(place) for place in bad[0])
            raise ReturnsError(
                f"{name}: row {row}, column {column} is {array[row, column]}, expected a number",
                remedy="give weights and returns without gaps, 0 for what is not held",
            )
    with np.errstate(all="ignore"):
        parts: FloatArray = weights * assets
        residual: FloatArray = portfolio - parts.sum(axis=1)
    return parts, residual, portfolio


def _contribution(holdings: FloatArray, residual: float, total: float) -> Contribution:
    if not (np.isfinite(holdings).all() and math.isfinite(residual) and math.isfinite(total)):
        raise UndefinedMetricError(NOT_FINITE)
    holdings.setflags(write=False)
    return Contribution(holdings, residual, total)
