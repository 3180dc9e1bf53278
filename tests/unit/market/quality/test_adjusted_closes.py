"""The vendor's adjusted closes against closes, dividends and splits."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etf_backtest.market.quality import Finding, PriceHistory, SeriesCheck, check_series
from etf_backtest.typing import FloatArray

START = np.datetime64("2024-01-02")


def check(close: Any, *, split_adjusted: Any = False, **more: Any) -> SeriesCheck:
    days = START + np.arange(len(close))
    return check_series(
        PriceHistory.from_columns("SPY", days, close=close, split_adjusted=split_adjusted, **more)
    )


def mismatches(checked: SeriesCheck) -> list[Finding]:
    return [f for f in checked.findings if f.rule == "adjusted_close_mismatch"]


def adjusted_notes(checked: SeriesCheck) -> list[str]:
    return [note for note in checked.notes if note.startswith("adjusted")]


def test_total_returns_at_the_close() -> None:
    """(99 + 1) / 100 = 1: an adjusted close of 99 stands for the close of 100 before."""
    checked = check(
        [100, 99, 101], adjusted_close=[99, 99, 101], dividend_amount=[0, 1, 0],
        split_ratio=[1, 1, 1],
    )  # fmt: skip
    assert checked.findings == ()
    assert adjusted_notes(checked) == []


def test_the_vendors_own_example() -> None:
    """Yahoo's help page, February 2003: 48.30, a split of 2, 24.96, a dividend of 0.08, 24.53.

    It multiplies by 1 - 0.08 / 24.96; we by (24.53 + 0.08) / 24.96. 24.53 / 24.88 is 0.0046 % less
    than 24.61 / 24.96. Its adjusted closes are given with four decimals here.
    """
    checked = check(
        [46.99, 48.30, 24.96, 24.53],
        adjusted_close=[23.4197, 24.0726, 24.88, 24.53],
        dividend_amount=[0, 0, 0, 0.08],
        split_ratio=[1, 1, 2, 1],
    )
    assert checked.findings == ()
    assert adjusted_notes(checked) == [
        "adjusted closes take dividends from the close before on 1 ex-date (the rule of CRSP) "
        "rather than reinvest them at the close: all in all -0.005%"
    ]


def test_a_dividend_that_the_vendor_left_out() -> None:
    checked = check(
        [100, 99.5, 99, 98], adjusted_close=[100, 99.5, 99, 98], dividend_amount=[0, 0, 0.7, 0],
        split_ratio=[1, 1, 1, 1],
    )  # fmt: skip
    (one,) = checked.findings
    assert (one.date, one.last) == (dt.date(2024, 1, 4), None)
    assert (one.field, one.value) == ("adjusted_close", "99")
    # 99 / 99.5 = 0.994975, 99.7 / 99.5 = 1.002010, 99 / 99.7 - 1 = -0.7021 %
    assert one.message == (
        "adjusted closes are multiplied by 0.994975 where close, dividend and split make 1.002010 "
        "(-0.7021%): as if there were no dividend of 0.7"
    )


def test_a_dividend_that_only_the_vendor_knows() -> None:
    # by the rule of CRSP: 1 - 0.6 / 99.5 times the closes before
    adjusted = [round(100 * (1 - 0.6 / 99.5), 4), round(99.5 - 0.6, 4), 99, 98]
    (one,) = check(
        [100, 99.5, 99, 98], adjusted_close=adjusted, dividend_amount=np.zeros(4),
        split_ratio=np.ones(4),
    ).findings  # fmt: skip
    assert one.date == dt.date(2024, 1, 4)
    assert one.message.endswith(": as if a dividend of about 0.6 had been paid")


def test_a_split_that_the_vendor_left_out() -> None:
    (one,) = mismatches(
        check(
            [100, 50, 51], adjusted_close=[100, 50, 51], dividend_amount=np.zeros(3),
            split_ratio=[1, 2, 1],
        )
    )  # fmt: skip
    assert one.message.endswith("(-50.0000%): as if there were no split of 2")


def test_sessions_in_a_row_are_one_finding_with_the_worst_of_them() -> None:
    """Factors 1.01 instead of 1, 1.03 instead of 1, 1.02 instead of 1; then equal again."""
    (run,) = check(
        [100] * 6, adjusted_close=[100, 101, 104.03, 106.1106, 106.1106, 106.1106],
        dividend_amount=np.zeros(6), split_ratio=np.ones(6),
        open=[100] * 6, high=[101] * 6, low=[99, 98, 97, 96, 95, 94],
    ).findings  # fmt: skip
    assert (run.date, run.last, run.value) == (dt.date(2024, 1, 3), dt.date(2024, 1, 5), "104.03")
    assert run.message == (
        "adjusted closes are multiplied by 1.030000 on 2024-01-04, the worst of 3, where close, "
        "dividend and split make 1.000000 (+3.0000%); all in all +6.111%"
    )


def test_closes_divided_by_later_splits_are_not_split_again() -> None:
    columns: dict[str, Any] = {
        "adjusted_close": [49.5, 49.5, 50],
        "dividend_amount": [0, 0.5, 0],
        "split_ratio": [1, 2, 1],
    }
    assert check([50, 49.5, 50], split_adjusted=True, **columns).findings == ()
    # unknown, the session of the split is not compared
    unclear = check([50, 49.5, 50], split_adjusted=None, **columns)
    assert mismatches(unclear) == []
    assert adjusted_notes(unclear) == [
        "adjusted closes of 1 session were not compared: a dividend or split is not known, or "
        "whether the closes are divided by later splits"
    ]


def test_a_dividend_and_a_split_on_one_day() -> None:
    """1 a new share: (49 + 1) * 2 / 100 = 1, and by CRSP 49 * 2 / (100 - 2) = 1."""
    checked = check([100, 49], adjusted_close=[49, 49], dividend_amount=[0, 1], split_ratio=[1, 2])
    assert checked.findings == ()


def test_a_reverse_split() -> None:
    """10 old shares at 5 become one, which closes at 49.5."""
    checked = check(
        [5, 49.5], adjusted_close=[50, 49.5], dividend_amount=[0, 0], split_ratio=[1, 0.1]
    )
    assert checked.findings == ()


def test_a_dividend_larger_than_the_price_cannot_be_subtracted() -> None:
    """(4 + 12) / 10 = 1.6; 10 - 12 is no price to divide by."""
    columns = {"dividend_amount": [0, 12], "split_ratio": [1, 1]}
    assert mismatches(check([10, 4], adjusted_close=[2.5, 4], **columns)) == []
    assert len(mismatches(check([10, 4], adjusted_close=[4, 4], **columns))) == 1


def test_a_large_special_dividend_tells_the_two_rules_apart() -> None:
    """100 pays 60 and closes at 41: 41 / 40 = 1.025 by CRSP, (41 + 60) / 100 = 1.01 by ours."""
    checked = check([100, 41], adjusted_close=[40, 41], dividend_amount=[0, 60], split_ratio=[1, 1])
    assert mismatches(checked) == []
    assert adjusted_notes(checked)[0].endswith("all in all +1.485%")


def test_what_is_not_known_is_not_compared() -> None:
    checked = check([100, 99], adjusted_close=[98, 99])
    assert checked.findings == ()
    assert "adjusted closes of 1 session were not compared" in adjusted_notes(checked)[0]
    assert adjusted_notes(check([100, 99])) == []


@st.composite
def quotes(draw: st.DrawFn) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Closes of 0.01 and more with four decimals, dividends, splits."""
    count = draw(st.integers(2, 30))

    def column(values: st.SearchStrategy[float]) -> FloatArray:
        return np.array(draw(st.lists(values, min_size=count, max_size=count)), np.float64)

    close = column(st.integers(100, 10_000_000).map(lambda whole: whole / 1e4))
    dividends = column(st.one_of(st.just(0.0), st.integers(0, 2 * 10**6).map(lambda n: n / 1e6)))
    splits = column(st.sampled_from((1.0, 1.0, 1.0, 2.0, 1.5, 0.1)))
    return close, dividends, splits


@given(quotes(), st.booleans())
def test_rounding_alone_is_never_a_finding(
    drawn: tuple[FloatArray, FloatArray, FloatArray], subtract: bool
) -> None:
    """Adjusted closes computed backwards from the last close, then rounded to four decimals."""
    close, dividends, splits = drawn
    if subtract:
        left = close[:-1] - dividends[1:] * splits[1:]
        dividends[1:][left <= 0] = 0
        left = close[:-1] - dividends[1:] * splits[1:]
        factors = close[1:] * splits[1:] / left
    else:
        factors = (close[1:] + dividends[1:]) * splits[1:] / close[:-1]
    adjusted = close[-1] / np.cumprod(np.append(1.0, factors[::-1]))[::-1]
    adjusted = np.round(adjusted, 4)
    if (adjusted <= 0).any():
        return  # too small to be stored
    checked = check(close, adjusted_close=adjusted, dividend_amount=dividends, split_ratio=splits)
    assert mismatches(checked) == []


@given(quotes(), st.integers(1, 29))
def test_a_missing_dividend_of_a_thousandth_is_always_found(
    drawn: tuple[FloatArray, FloatArray, FloatArray], place: int
) -> None:
    """Prices of 50 to 100 can tell 0.1 % from rounding (0.0005 % at most)."""
    close = np.clip(drawn[0], 50, 100)
    row = place % (close.size - 1) + 1
    dividends = np.zeros(close.size)
    dividends[row] = close[row] / 1_000
    ones = np.ones(close.size)
    checked = check(close, adjusted_close=close, dividend_amount=dividends, split_ratio=ones)
    (one,) = mismatches(checked)
    assert one.date == (START + row).item()
    assert "as if there were no dividend" in one.message


@pytest.mark.parametrize("flag", [True, False])
def test_adjusted_closes_alone_have_nothing_to_be_compared_with(flag: bool) -> None:
    checked = check([np.nan] * 3, adjusted_close=[1, 1.01, 1.02], split_adjusted=flag)
    assert checked.findings == ()
    assert adjusted_notes(checked) == []
