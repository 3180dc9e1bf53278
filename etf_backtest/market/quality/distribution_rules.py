"""Dividends and splits that do not go together with the prices beside them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from etf_backtest.market.quality.factors import adjustment_is_clear, daily_volatility, weekdays
from etf_backtest.market.quality.finding import Finding
from etf_backtest.market.quality.history import PriceHistory
from etf_backtest.market.quality.series_findings import count_of, shown, warning
from etf_backtest.typing import BoolArray

LEAST_TELLING_SPLIT = 0.05
"""abs(log(ratio)): a ratio nearer to 1 cannot be told from an ordinary day."""
TELLING_SIGMAS = 4.0
"""A split is told from a move of the market if it is larger than this many daily volatilities."""


def distribution_rows(history: PriceHistory, rows: BoolArray) -> Iterator[tuple[int, str, str]]:
    """Row, field and words of each dividend and split in some of the rows."""
    dividends, splits = history.dividend_amount, history.split_ratio
    for row in np.flatnonzero(rows & (dividends > 0)).tolist():
        yield row, "dividend_amount", f"a dividend of {shown(dividends[row])}"
    for row in np.flatnonzero(rows & (splits > 0) & (splits != 1)).tolist():
        yield row, "split_ratio", f"a split of {shown(splits[row])}"


def dividends_above_close(history: PriceHistory) -> Iterator[Finding]:
    """A dividend larger than the close of its day: a special one, or a wrong unit."""
    for row in np.flatnonzero(history.dividend_amount > history.close).tolist():
        dividend, close = shown(history.dividend_amount[row]), shown(history.close[row])
        yield warning(
            "dividend_above_close",
            history,
            row,
            f"a dividend of {dividend} where the close is {close}: a special one, or in another "
            "unit or currency",
            field="dividend_amount",
            value=dividend,
        )


def distributions_without_close(history: PriceHistory) -> Iterator[Finding]:
    """Dividends and splits on rows without a close: no total return can take them up."""
    if not np.isfinite(history.close).any() and history.has_price.all():
        return  # adjusted closes alone: they have them inside
    for row, field, said in distribution_rows(history, ~np.isfinite(history.close)):
        yield warning(
            "distribution_without_close",
            history,
            row,
            f"{said} on a day without a close, expected an ex-date with one",
            field=field,
            value=said.rpartition(" ")[2],
        )


def unclear_adjustment(history: PriceHistory) -> Iterator[Finding]:
    """A split, and closes of which it is not said, or not the same, whether they have it inside."""
    if adjustment_is_clear(history):
        return
    splits = np.flatnonzero((history.split_ratio > 0) & (history.split_ratio != 1))
    flags = history.split_adjusted[np.isfinite(history.close)]
    counts = ", ".join(
        f"{count_of(int(rows.sum()), 'row')} {what}"
        for what, rows in (
            ("as traded", flags == 0),
            ("divided by later splits", flags == 1),
            ("not said", np.isnan(flags)),
        )
        if rows.any()
    )
    yield warning(
        "split_adjusted_unclear",
        history,
        int(splits[0]),
        f"{count_of(splits.size, 'split')}, but whether closes are divided by later splits is not "
        f"the same for all rows ({counts}): they cannot be used for a total return",
        field="split_adjusted",
        last=int(splits[-1]) if splits.size > 1 else None,
    )


def contradicted_splits(history: PriceHistory) -> Iterator[Finding]:
    """Splits at which the closes move otherwise than is said of them."""
    for row in _splits_that_tell(history):
        ratio, adjusted = history.split_ratio[row], bool(history.split_adjusted[row])
        move, step = _move(history, row), float(np.log(ratio))
        # as traded, as divided by later splits, as by the inverse of the ratio
        nearest = int(np.argmin([abs(move + step), abs(move), abs(move - step)]))
        closes = f"close {shown(history.close[row])} after {shown(history.close[row - 1])}"
        split = f"a split of {shown(ratio)} new shares per old share"
        if nearest == 1 and not adjusted:
            rule, message = "split_adjusted_contradicted", (
                f"{closes} with {split}: closes are said to be as traded, but this one does not "
                "move by the ratio"
            )  # fmt: skip
        elif nearest == 0 and adjusted:
            rule, message = "split_adjusted_contradicted", (
                f"{closes} with {split}: closes are said to be divided by later splits, but this "
                "one moves by the ratio"
            )  # fmt: skip
        elif nearest == 2 and not adjusted:
            rule, message = "split_ratio_inverted", (
                f"{closes} with {split}: it moves as by {shown(1 / ratio)}, the inverse of the "
                "ratio"
            )  # fmt: skip
        else:
            continue
        yield warning(rule, history, row, message, field="split_ratio", value=shown(ratio))


def _splits_that_tell(history: PriceHistory) -> list[int]:
    """Rows with a split so large that a day's move cannot hide it, between two known closes."""
    splits = history.split_ratio[1:]
    steps = np.abs(np.log(np.where(splits > 0, splits, 1.0)))
    usual = TELLING_SIGMAS * daily_volatility(history) * np.sqrt(weekdays(history))
    known = np.isfinite(history.close) & np.isfinite(history.split_adjusted)
    tells = (steps > np.maximum(LEAST_TELLING_SPLIT, usual)) & known[1:] & known[:-1]
    return [int(row) for row in np.flatnonzero(tells) + 1]


def _move(history: PriceHistory, row: int) -> float:
    """log((close + dividend) / previous close)."""
    dividend = np.nan_to_num(history.dividend_amount[row])
    return float(np.log((history.close[row] + dividend) / history.close[row - 1]))
