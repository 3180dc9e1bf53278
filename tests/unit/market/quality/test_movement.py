"""Prices that stand still, jump, or were not traded at: numbers by hand."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest

from etf_backtest.market.quality import Finding, PriceHistory, check_series
from etf_backtest.typing import FloatArray

WEEKDAYS = np.arange("2024-01-01", "2024-12-31", dtype="datetime64[D]")
WEEKDAYS = WEEKDAYS[np.is_busday(WEEKDAYS)]


def history(
    close: Any, *, dates: Any = None, split_adjusted: Any = False, **more: Any
) -> PriceHistory:
    days = WEEKDAYS[: len(close)] if dates is None else dates
    return PriceHistory.from_columns(
        "SPY", days, close=close, split_adjusted=split_adjusted, **more
    )


def found(given: PriceHistory, **more: Any) -> list[Finding]:
    return list(check_series(given, **more).findings)


def calm(count: int, *, daily: float = 0.005) -> FloatArray:
    """100, then up and down by `daily` in turns: every move has the same size."""
    prices: FloatArray = 100 * np.exp(daily * (np.arange(count) % 2))
    return prices


def days(*numbers: int) -> list[dt.date]:
    return [WEEKDAYS[number].item() for number in numbers]


def test_an_ordinary_history_has_no_findings() -> None:
    close = calm(60)
    given = history(
        close, open=close, high=close + 1, low=close - 1, volume=np.full(60, 1e6),
        dividend_amount=np.zeros(60), split_ratio=np.ones(60),
    )  # fmt: skip
    check = check_series(given)
    assert check.symbol == "SPY"
    assert check.findings == ()
    assert check.notes == ("missing and extra sessions were not looked for: no exchange was given",)


def test_five_equal_closes_are_a_stale_run_and_four_are_not() -> None:
    close = [1.0, 2, 2, 2, 2, 3, 4, 4, 4, 4, 4, 5]
    (run,) = [f for f in found(history(close)) if f.rule == "stale_run"]
    assert [run.date, run.last] == days(6, 10)
    assert (run.field, run.value) == ("close", "4")
    assert run.message == "the same close of 4 on 5 sessions in a row"


def test_a_day_that_was_traded_is_not_stale() -> None:
    close = np.full(8, 100.0)
    trades = {"open": close, "high": close + 1, "low": close - np.arange(8) / 10, "volume": close}
    assert found(history(close, **trades)) == []
    # but a bar that is copied from the day before is
    copied = {"open": close, "high": close + 1, "low": close - 1, "volume": close}
    (run,) = found(history(close, **copied))
    assert (run.rule, [run.date, run.last]) == ("stale_run", days(0, 7))
    # and one without any range, as a fund without trades or of the money market has it
    flat = {"open": close, "high": close, "low": close}
    assert [f.rule for f in found(history(close, **flat))] == ["stale_run"]


def test_adjusted_closes_can_be_stale_too() -> None:
    given = PriceHistory.from_columns("SPY", WEEKDAYS[:5], adjusted_close=np.full(5, 52.619))
    (run,) = found(given)
    assert (run.rule, run.field, run.value) == ("stale_run", "adjusted_close", "52.619")


def test_sessions_without_volume_are_joined() -> None:
    volume = np.array([5.0, 0, 0, 0, 5, 0, 5, np.nan])
    first, second = found(history(calm(8), volume=volume))
    assert (first.rule, [first.date, first.last]) == ("zero_volume", days(1, 3))
    assert first.message == "no shares traded on 3 sessions"
    assert (second.date, second.last, second.field, second.value) == (
        *days(5), None, "volume", "0"
    )  # fmt: skip


def test_a_high_or_low_far_from_open_and_close() -> None:
    close = calm(4)
    high, low = close + 1, close - 1
    high[1] = 1.501 * close[1]
    low[2] = close[2] / 1.501
    high[3], low[3] = 1.499 * close[3], close[3] / 1.499
    first, second = found(history(close, open=close, high=high, low=low))
    assert (first.rule, first.date, first.field) == ("price_spike", *days(1), "high")
    assert (second.rule, second.date, second.field) == ("price_spike", *days(2), "low")
    assert "far from open and close (100.5012521)" in first.message


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        (1 / 2, "2 for 1 (split_ratio 2)"),
        (1 / 3, "3 for 1 (split_ratio 3)"),
        (2 / 3, "3 for 2 (split_ratio 1.5)"),
        (3 / 4, "4 for 3 (split_ratio 1.333333333)"),
        (1 / 20, "20 for 1 (split_ratio 20)"),
        (2.0, "1 for 2 (split_ratio 0.5)"),
        (10.0, "1 for 10 (split_ratio 0.1)"),
    ],
)
def test_a_split_that_nobody_recorded(factor: float, said: str) -> None:
    close = calm(60)
    close[30:] *= factor
    (jump,) = found(history(close))
    assert (jump.rule, jump.date, jump.field) == ("unrecorded_split", *days(30), "split_ratio")
    assert f"no split recorded: it looks like one of {said}" in jump.message
    (again,) = found(history(close, split_ratio=np.ones(60)))
    assert (again.rule, again.value) == ("unrecorded_split", "1")
    # recorded, it is none
    recorded = np.ones(60)
    recorded[30] = 1 / factor
    assert found(history(close, split_ratio=recorded)) == []


def test_adjusted_closes_that_are_not_adjusted_for_a_split() -> None:
    close = calm(60)
    close[30:] /= 2
    (jump,) = found(PriceHistory.from_columns("SPY", WEEKDAYS[:60], adjusted_close=close))
    assert jump.rule == "unrecorded_split"
    assert "not adjusted for a split: it looks like one of 2 for 1" in jump.message


def test_a_jump_that_is_no_usual_ratio() -> None:
    close = calm(60)
    close[30:] *= 1.17  # from an odd row to an even one: 1.17 / exp(0.005) = 1.16417
    (jump,) = found(history(close))
    assert (jump.rule, jump.date, jump.field) == ("outlier_jump", *days(30), "close")
    assert jump.value == "117"
    assert jump.message == (
        "close 117 after 100.5012521: +16.4% in one step, far beyond this symbol's other sessions"
    )


def test_a_wrong_price_is_a_jump_there_and_back() -> None:
    close = calm(60)
    close[30] = 137.0
    assert [f.date for f in found(history(close))] == days(30, 31)


def test_a_fund_that_always_moves_far_has_no_outliers() -> None:
    close = calm(60, daily=0.03)
    close[30:] *= 1.25  # abs(log) is 0.19 or so, less than 10 times 0.03
    assert found(history(close)) == []


def test_a_crash_is_measured_by_its_own_days() -> None:
    """A calm year with ten days of 6 % moves: they are large beside the year, not each other."""
    steps = np.where(np.arange(200) % 2, 0.005, -0.005)
    steps[100:120] *= 24  # 12 % up and down
    assert found(history(100 * np.exp(np.cumsum(steps)))) == []
    steps[119:] = 0.005  # the last of them is now alone at the edge, and still among its like
    steps[60] = 0.12  # but this one is not
    assert [f.date for f in found(history(100 * np.exp(np.cumsum(steps))))] == days(60)


def test_over_a_gap_prices_may_move_further() -> None:
    """0.155 is allowed over 6 weekdays: 10 * 1.4826 * 0.005 * sqrt(6) = 0.18."""
    close = calm(60)
    close[31:] *= np.exp(0.15)
    assert [f.rule for f in found(history(close))] == ["outlier_jump"]
    apart = np.concatenate((WEEKDAYS[:31], WEEKDAYS[36:65]))
    assert found(history(close, dates=apart)) == []


def test_a_special_dividend_explains_a_jump() -> None:
    """100 falls to 55 because 45 are paid: nobody has lost anything."""
    close = calm(60)
    close[30:] -= 45
    dividends = np.zeros(60)
    assert [f.rule for f in found(history(close, dividend_amount=dividends))] == ["outlier_jump"]
    dividends[30] = 45
    assert found(history(close, dividend_amount=dividends)) == []


def test_a_dividend_that_the_price_knows_nothing_of() -> None:
    dividends = np.zeros(60)
    dividends[30] = 45.0  # cents taken for dollars
    (jump,) = found(history(calm(60), dividend_amount=dividends))
    assert jump.message == (
        "close 100 after 100.5012521 with a dividend of 45: all in all +44.3% in one step, far "
        "beyond this symbol's other sessions"
    )  # 145 / 100.50125 = 1.44277


def test_a_split_of_another_ratio_than_recorded() -> None:
    """100 falls to 33.3 where a split of 2 is recorded: nearer to the split than to none."""
    close = calm(60)
    close[30:] /= 3
    splits = np.ones(60)
    splits[30] = 2
    (jump,) = found(history(close, split_ratio=splits))
    assert jump.rule == "outlier_jump"
    assert "with a split of 2: all in all -33.7% in one step" in jump.message


def test_a_few_rows_are_measured_by_the_floor() -> None:
    assert found(history([100.0])) == []
    assert found(history([100.0, 110.0])) == []  # log(1.1) = 0.0953
    assert [f.rule for f in found(history([100.0, 111.0]))] == ["outlier_jump"]  # 0.1044


def test_prices_of_nothing() -> None:
    empty = history([])
    assert check_series(empty).findings == ()


def test_future_dates_in_a_store() -> None:
    (late,) = found(history(calm(3)), today=days(1)[0])
    assert (late.rule, late.level, late.date) == ("future_date", "reject", *days(2))
