"""Prices that do not move, move too far, or nobody traded at."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from etf_backtest.market.quality.factors import daily_volatility, moves, robust_deviation, weekdays
from etf_backtest.market.quality.finding import Finding
from etf_backtest.market.quality.history import PriceHistory
from etf_backtest.market.quality.series_findings import count_of, runs, shown, warning
from etf_backtest.typing import BoolArray, FloatArray

STALE_SESSIONS = 5
"""So many equal closes in a row, without a trade between them, are a stale run."""
SPIKE = 1.5
"""A high this many times the larger of open and close, or a low this much below the smaller."""
JUMP = 0.10
"""The least abs(log(factor)) of an outlier: 10.5 % up, 9.5 % down."""
JUMP_SIGMAS = 10.0
"""Times the volatility of the symbol, and of the sessions around the jump."""
NEIGHBOURS = 10
"""Sessions on each side of a jump whose volatility counts."""
RATIO_TOLERANCE = 0.02
"""How near (in logarithms) a jump comes to a split ratio that it is taken for."""
WHOLE_RATIO_SIGMAS, WHOLE_RATIO_TOLERANCE = 3.0, 0.10
"""Ratios of 2 and more, and 1/2 and less, may be so many volatilities off, and at most so far."""

_FORWARD = (
    (6, 5), (5, 4), (4, 3), (3, 2), (5, 3), (2, 1), (5, 2), (3, 1), (4, 1), (5, 1), (6, 1), (7, 1),
    (8, 1), (9, 1), (10, 1), (12, 1), (15, 1), (20, 1), (25, 1), (30, 1), (40, 1), (50, 1), (100, 1)
)  # fmt: skip
SPLIT_RATIOS = _FORWARD + tuple((1, new) for new, old in _FORWARD if old == 1)
"""Usual splits, new shares for old ones; reverse splits only for whole numbers of old shares."""


def stale_runs(history: PriceHistory) -> Iterator[Finding]:
    """The same close again and again, with nothing to show that it was traded at.

    A row repeats the one before if its close (where there is none: its adjusted close) is equal
    and its high is not above its low, or its open, high and low are those of the row before, too.
    """
    price = np.where(np.isfinite(history.close), history.close, history.adjusted_close)
    for first, last in runs(np.flatnonzero(_repeats(history, price)) + 1):
        count = last - first + 2
        if count >= STALE_SESSIONS:
            yield warning(
                "stale_run",
                history,
                first - 1,
                f"the same close of {shown(price[first])} on {count_of(count, 'session')} in a row",
                field="close" if np.isfinite(history.close[first]) else "adjusted_close",
                value=shown(price[first]),
                last=last,
            )


def _repeats(history: PriceHistory, price: FloatArray) -> BoolArray:
    """Which of rows 1 and later repeat the one before."""
    moved = history.high > history.low  # False where one is not known
    bars = (history.open, history.high, history.low)
    copied = np.logical_and.reduce([column[1:] == column[:-1] for column in bars])
    repeats: BoolArray = (price[1:] == price[:-1]) & (~moved[1:] | copied)
    return repeats


def zero_volumes(history: PriceHistory) -> Iterator[Finding]:
    """Sessions on which no share was traded; such rows in a row are one finding."""
    for first, last in runs(np.flatnonzero(history.volume == 0)):
        yield warning(
            "zero_volume",
            history,
            first,
            f"no shares traded on {count_of(last - first + 1, 'session')}",
            field="volume",
            value="0",
            last=last if last > first else None,
        )


def price_spikes(history: PriceHistory) -> Iterator[Finding]:
    """A high or a low far beyond open and close: often one wrong trade."""
    top = np.fmax(history.open, history.close)
    bottom = np.fmin(history.open, history.close)
    for field, far, edge in (
        ("high", history.high > SPIKE * top, top),
        ("low", history.low < bottom / SPIKE, bottom),
    ):
        for row in np.flatnonzero(far).tolist():
            value = shown(getattr(history, field)[row])
            yield warning(
                "price_spike",
                history,
                row,
                f"{field} {value} is far from open and close ({shown(edge[row])}): more than a "
                f"factor of {SPIKE}",
                field=field,
                value=value,
            )


def jumps(history: PriceHistory, *, explained: frozenset[int] = frozenset()) -> Iterator[Finding]:
    """Moves that are too large for the symbol, dividends and splits taken into account.

    Parameters
    ----------
    history : PriceHistory
    explained : frozenset of int
        Rows with a finding that says why.
    """
    steps = moves(history)
    gaps = np.sqrt(weekdays(history))
    own = daily_volatility(history)
    large = np.flatnonzero(np.abs(steps) > np.maximum(JUMP, JUMP_SIGMAS * own * gaps))
    for step in large.tolist():
        around = np.zeros(steps.size, np.bool_)
        around[max(0, step - NEIGHBOURS) : step + NEIGHBOURS + 1] = True
        around[step] = False
        near = robust_deviation(steps / gaps, around)
        if step + 1 not in explained and abs(steps[step]) > JUMP_SIGMAS * near * gaps[step]:
            usual = max(own, near) * gaps[step]
            yield _jump(history, step + 1, float(steps[step]), float(usual))


def _jump(history: PriceHistory, row: int, step: float, usual: float) -> Finding:
    """An outlier, or a split that nobody has recorded."""
    closes = bool(np.isfinite(history.close[[row - 1, row]]).all())
    field = "close" if closes else "adjusted_close"
    prices = getattr(history, field)
    move = f"{field} {shown(prices[row])} after {shown(prices[row - 1])}"
    factor = float(np.exp(step))
    dividend, split = history.dividend_amount[row], history.split_ratio[row]
    parts = []
    if dividend > 0:
        parts.append(f"a dividend of {shown(dividend)}")
    if split > 0 and split != 1:
        parts.append(f"a split of {shown(split)}")
    if not parts and (ratio := _likely_split(step, usual)) is not None:
        new, old = ratio
        lacking = "no split recorded" if closes else "not adjusted for a split"
        return warning(
            "unrecorded_split",
            history,
            row,
            f"{move}, {lacking}: it looks like one of {new} for {old} "
            f"(split_ratio {shown(new / old)})",
            field="split_ratio",
            value=None if np.isnan(split) else shown(split),
        )
    told = f" with {' and '.join(parts)}" if parts else ""
    return warning(
        "outlier_jump",
        history,
        row,
        f"{move}{told}: {'all in all ' * bool(parts)}{factor - 1:+.1%} in one step, far beyond "
        "this symbol's other sessions",
        field=field,
        value=shown(prices[row]),
    )


def _likely_split(step: float, usual: float) -> tuple[int, int] | None:
    """The ratio that would make a move an ordinary one, if it is a usual one."""
    new, old = min(SPLIT_RATIOS, key=lambda pair: abs(step + np.log(pair[0] / pair[1])))
    allowed = RATIO_TOLERANCE
    if 1 in (new, old):
        allowed = min(max(allowed, WHOLE_RATIO_SIGMAS * usual), WHOLE_RATIO_TOLERANCE)
    return (new, old) if abs(step + np.log(new / old)) <= allowed else None
