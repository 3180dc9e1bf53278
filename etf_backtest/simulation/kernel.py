"""Holdings and value from prices and filled targets; vectorised between the fills."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from etf_backtest.typing import DateArray, FloatArray, IndexArray

_DAYS_A_YEAR = 365
_NOISE = 1e-14
"""Trades below this fraction of the value are rounding, not trades."""


@dataclass(frozen=True, slots=True, eq=False)
class Holdings:
    """The book of a run, after each session's trades.

    Attributes
    ----------
    equity, cash : ndarray of shape (T,)
        Currency; equity = cash + sum(shares * price).
    shares : ndarray of shape (T, N)
        Units of the total-return prices.
    fills : ndarray of shape (K,)
        Rows on which targets were filled.
    traded : ndarray of shape (K, N)
        Units bought (above 0) and sold (below 0) on those rows.
    """

    equity: FloatArray
    cash: FloatArray
    shares: FloatArray
    fills: IndexArray
    traded: FloatArray


def hold(
    prices: FloatArray,
    growth: FloatArray,
    fills: IndexArray,
    targets: FloatArray,
    capital: float,
) -> Holdings:
    """Fill targets at the close of their rows, and let shares and cash run in between.

    Parameters
    ----------
    prices : ndarray of shape (T, N)
        Total-return prices, positive and finite.
    growth : ndarray of shape (T,)
        Worth of one unit of cash that was put away on row 0.
    fills : ndarray of shape (K,)
        Rows, strictly ascending.
    targets : ndarray of shape (K, N)
        Weights, each 0 or more, in sum at most 1.
    capital : float
        Cash on row 0, before the first fill.
    """
    count, width = targets.shape
    shares = np.zeros((count + 1, width))
    cash = np.empty(count + 1)
    cash[0] = capital
    starts = np.concatenate(([0], fills))
    for k, row in enumerate(fills):
        held, price = shares[k], prices[row]
        money = cash[k] * growth[row] / growth[starts[k]]
        value = money + held @ price
        wanted = targets[k] * value / price
        moves = np.abs(wanted - held) * price > _NOISE * value
        shares[k + 1] = np.where(moves, wanted, held)
        rest = 1.0 - math.fsum(targets[k].tolist())
        if moves.any():
            cash[k + 1] = value * rest if rest > _NOISE else 0.0
        else:
            cash[k + 1] = money
    lengths = np.diff(np.append(starts, len(prices)))
    all_shares = np.repeat(shares, lengths, axis=0)
    all_cash = np.repeat(cash / growth[starts], lengths) * growth
    equity = all_cash + np.einsum("tn,tn->t", all_shares, prices)
    equity[0] = capital
    return Holdings(equity, all_cash, all_shares, fills, np.diff(shares, axis=0))


def cash_growth(dates: DateArray, annual_rate: float) -> FloatArray:
    """Worth on each session of one unit of cash put away on the first, shape (T,).

    Interest accrues act/365 from session to session and is credited on each.
    """
    days = np.diff(dates).astype("timedelta64[D]").astype(np.float64)
    factors = 1.0 + annual_rate * days / _DAYS_A_YEAR
    return np.concatenate(([1.0], np.cumprod(factors)))
