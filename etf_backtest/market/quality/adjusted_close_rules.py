"""The vendor's adjusted closes against closes, dividends and splits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from etf_backtest.market.frozen import FrozenArrays
from etf_backtest.market.quality.factors import applied_splits, total_return_factors
from etf_backtest.market.quality.finding import Finding
from etf_backtest.market.quality.history import PriceHistory
from etf_backtest.market.quality.series_findings import count_of, runs, shown, warning
from etf_backtest.market.sessions import as_date
from etf_backtest.typing import BoolArray, FloatArray

HALF_PRICE_UNIT = 0.5e-4
"""What rounding to the four decimals of a stored price may have changed it by."""
HALF_DIVIDEND_UNIT = 0.5e-6
OTHER_ROUNDING = 1e-6
"""Relative; for what vendors round on the way (multipliers, 32-bit floats)."""


@dataclass(frozen=True, slots=True, eq=False)
class AdjustedFactors(FrozenArrays):
    """What adjusted closes and what quotes say that a holder's value was multiplied by.

    All arrays have the shape (rows - 1,): from each row to the next.

    Attributes
    ----------
    vendor : ndarray of float64
        Adjusted close over the adjusted close before.
    own : ndarray of float64
        ((close + dividend) * split) / previous close; NaN where not all of it is known.
    agrees : ndarray of bool
        Vendor and own differ by no more than rounding.
    subtracts : ndarray of bool
        They differ by more, but vendor is (close * split) / (previous close - dividend * split)
        within rounding.
    """

    vendor: FloatArray
    own: FloatArray
    agrees: BoolArray
    subtracts: BoolArray

    @property
    def known(self) -> BoolArray:
        """Where both are known."""
        return np.isfinite(self.vendor) & np.isfinite(self.own)


class AdjustedReport(NamedTuple):
    """Disagreements, and what is no finding but should be said."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


def adjusted_factors(history: PriceHistory) -> AdjustedFactors:
    """Both factors of each session, and whether they are the same but for rounding.

    Notes
    -----
    Rounding changes a price p by at most u = 0.00005, so its logarithm by at most
    -log(1 - u / p), about u / p. The bounds of the prices in both factors, and 1e-6, are added up.

    Vendors that adjust by the rule of CRSP multiply earlier prices by 1 - dividend / previous
    close. That reinvests the dividend before the market has moved rather than at the close: on an
    ex-date with the return r it differs by about r * dividend / previous close.
    """
    splits, dividends = applied_splits(history), history.dividend_amount
    own = total_return_factors(history, splits=splits, dividends=dividends)
    adjusted = history.adjusted_close
    vendor = adjusted[1:] / adjusted[:-1]
    paid = dividends[1:] * splits[1:]
    left = history.close[:-1] - paid
    subtracting = np.where(left > 0, history.close[1:] * splits[1:] / left, np.nan)
    rounding = _rounded(adjusted[1:]) + _rounded(adjusted[:-1]) + OTHER_ROUNDING
    unit = HALF_PRICE_UNIT + HALF_DIVIDEND_UNIT
    of_own = _rounded(history.close[1:] + dividends[1:], unit) + _rounded(history.close[:-1])
    unit_left = HALF_PRICE_UNIT + splits[1:] * HALF_DIVIDEND_UNIT
    of_left = _rounded(history.close[1:]) + _rounded(left, unit_left)
    agrees = np.abs(np.log(vendor / own)) <= rounding + of_own
    near = np.abs(np.log(vendor / subtracting)) <= rounding + of_left
    return AdjustedFactors(vendor, own, agrees, near & ~agrees)


def _rounded(price: FloatArray, unit: float | FloatArray = HALF_PRICE_UNIT) -> FloatArray:
    """By how much rounding may have changed the logarithm of a price; all, if it is so small."""
    bound: FloatArray = -np.log1p(-np.minimum(unit / price, 1.0))
    return bound


def adjusted_close_report(history: PriceHistory) -> AdjustedReport:
    """Where the vendor's adjusted closes are not what closes, dividends and splits make.

    Sessions in a row are one finding, which names the worst of them.
    """
    if not np.isfinite(history.adjusted_close).any() or not np.isfinite(history.close).any():
        return AdjustedReport((), ())
    factors = adjusted_factors(history)
    wrong = factors.known & ~factors.agrees & ~factors.subtracts
    found = tuple(
        _mismatch(history, factors, first, last) for first, last in runs(np.flatnonzero(wrong))
    )
    return AdjustedReport(found, tuple(_notes(history, factors)))


def _mismatch(history: PriceHistory, factors: AdjustedFactors, first: int, last: int) -> Finding:
    gaps = np.log(factors.vendor[first : last + 1] / factors.own[first : last + 1])
    worst = first + int(np.argmax(np.abs(gaps)))
    row, count = worst + 1, last - first + 1
    vendor, own = float(factors.vendor[worst]), float(factors.own[worst])
    where = "" if count == 1 else f" on {as_date(history.dates[row])}, the worst of {count},"
    total = "" if count == 1 else f"; all in all {np.expm1(gaps.sum()):+.3%}"
    reason = _likely_reason(history, row, vendor) if count == 1 else ""
    return warning(
        "adjusted_close_mismatch",
        history,
        first + 1,
        f"adjusted closes are multiplied by {vendor:.6f}{where} where close, dividend and split "
        f"make {own:.6f} ({vendor / own - 1:+.4%}){reason}{total}",
        field="adjusted_close",
        value=shown(history.adjusted_close[row]),
        last=last + 1 if count > 1 else None,
    )


def _likely_reason(history: PriceHistory, row: int, vendor: float) -> str:
    """What the vendor has left out or put in, where it is plain to see."""
    before, close = history.close[row - 1], history.close[row]
    split = applied_splits(history)[row]
    dividend = history.dividend_amount[row]
    near = HALF_PRICE_UNIT * (2 / close + 2 / before) + OTHER_ROUNDING
    if dividend > 0 and abs(np.log(vendor / (close * split / before))) <= near:
        return f": as if there were no dividend of {shown(dividend)}"
    if split != 1 and abs(np.log(vendor / ((close + dividend) / before))) <= near:
        return f": as if there were no split of {shown(split)}"
    implied = before / split - close / vendor
    if not close * near < implied < before / split:
        return ""
    if dividend > 0:
        return f": as if the dividend were about {implied:.4g}, not {shown(dividend)}"
    return f": as if a dividend of about {implied:.4g} had been paid"


def _notes(history: PriceHistory, factors: AdjustedFactors) -> Iterator[str]:
    both = np.isfinite(history.close) & np.isfinite(history.adjusted_close)
    unknown = int((both[1:] & both[:-1] & ~factors.known).sum())
    if unknown:
        yield (
            f"adjusted closes of {count_of(unknown, 'session')} were not compared: a dividend or "
            "split is not known, or whether the closes are divided by later splits"
        )
    different = factors.subtracts & factors.known
    if different.any():
        ratio = factors.vendor[different] / factors.own[different]
        yield (
            f"adjusted closes take dividends from the close before on "
            f"{count_of(int(different.sum()), 'ex-date')} (the rule of CRSP) rather than reinvest "
            f"them at the close: all in all {np.prod(ratio) - 1:+.3%}"
        )
