"""Dividends and splits beside prices: special, reverse, misplaced, misstated. Numbers by hand."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest

from etf_backtest.market.quality import ExchangeSessions, Finding, PriceHistory, check_series

DAYS = np.array(
    ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08"], "datetime64[D]"
)
# a week without holidays, and the Monday after it
SESSIONS = ExchangeSessions("XNYS", DAYS.copy(), DAYS[0], DAYS[-1])


def history(
    close: Any, *, dates: Any = DAYS, split_adjusted: Any = False, **more: Any
) -> PriceHistory:
    return PriceHistory.from_columns(
        "SPY", dates[: len(close)], close=close, split_adjusted=split_adjusted, **more
    )


def found(given: PriceHistory, **more: Any) -> list[Finding]:
    return list(check_series(given, **more).findings)


def rules(given: PriceHistory, **more: Any) -> list[str]:
    return [finding.rule for finding in found(given, **more)]


def test_a_special_dividend_larger_than_the_close_that_it_leaves() -> None:
    """100 pays 60 and closes at 40: (40 + 60) / 100 = 1, so the only finding is its size."""
    (large,) = found(history([100, 40, 40.2], dividend_amount=[0, 60, 0]))
    assert (large.rule, large.date) == ("dividend_above_close", dt.date(2024, 1, 3))
    assert (large.field, large.value) == ("dividend_amount", "60")
    assert large.message.startswith("a dividend of 60 where the close is 40")


def test_a_dividend_as_large_as_the_close_is_not_above_it() -> None:
    assert rules(history([100, 50], dividend_amount=[0, 50])) == []


def test_a_dividend_larger_than_the_price_before() -> None:
    """(9.9 + 12) / 10 = 2.19: no price can have paid it, and both rules say so."""
    jump, large = found(history([10, 9.9, 9.9], dividend_amount=[0, 12, 0]))
    assert (large.rule, jump.rule) == ("dividend_above_close", "outlier_jump")
    assert "all in all +119.0%" in jump.message


def test_income_and_capital_gains_of_one_day_are_one_amount() -> None:
    """0.30 of income and 2.50 of capital gains: (97.2 + 2.8) / 100 = 1."""
    given = {"adjusted_close": [97.2, 97.2], "dividend_amount": [0, 2.8], "split_ratio": [1, 1]}
    assert rules(history([100, 97.2], **given)) == []
    # a vendor that knows of the income alone takes 0.30 from the close before
    given["adjusted_close"] = [99.7, 97.2]
    (vendor,) = found(history([100, 97.2], **given))
    assert vendor.rule == "adjusted_close_mismatch"
    assert "as if the dividend were about 0.3, not 2.8" in vendor.message


@pytest.mark.parametrize(
    ("ratio", "before", "after"), [(2, 100, 50.5), (0.1, 5, 49.5), (1.5, 90, 60.3), (0.25, 8, 32)]
)
def test_splits_that_closes_as_traded_move_by(ratio: float, before: float, after: float) -> None:
    splits = [1, ratio, 1]
    assert rules(history([before, after, after], split_ratio=splits)) == []
    # the same closes, said to be divided by later splits
    (wrong,) = found(history([before, after, after], split_ratio=splits, split_adjusted=True))
    assert (wrong.rule, wrong.date) == ("split_adjusted_contradicted", dt.date(2024, 1, 3))
    assert (wrong.field, wrong.value) == ("split_ratio", f"{ratio:g}")
    assert "said to be divided by later splits, but this one moves by the ratio" in wrong.message


@pytest.mark.parametrize("ratio", [2, 0.1, 1.5])
def test_splits_that_adjusted_closes_do_not_move_by(ratio: float) -> None:
    splits = [1, ratio, 1]
    close = [100, 101, 100.5]
    assert rules(history(close, split_ratio=splits, split_adjusted=True)) == []
    (wrong,) = found(history(close, split_ratio=splits))
    assert wrong.rule == "split_adjusted_contradicted"
    assert "said to be as traded, but this one does not move by the ratio" in wrong.message


def test_a_ratio_that_stands_on_its_head() -> None:
    """A reverse split of 1 for 10, recorded as 10 new shares per old share."""
    (wrong,) = found(history([5, 50, 50.5], split_ratio=[1, 10, 1]))
    assert wrong.rule == "split_ratio_inverted"
    assert "it moves as by 0.1, the inverse of the ratio" in wrong.message


def test_a_small_ratio_cannot_be_told_from_a_day() -> None:
    assert rules(history([100, 98, 97], split_ratio=[1, 1.04, 1])) == []  # log(1.04) = 0.039
    assert rules(history([100, 98, 97], split_ratio=[1, 1.04, 1], split_adjusted=True)) == []


def test_splits_of_which_nobody_said_whether_closes_have_them() -> None:
    given = {"split_ratio": [1, 2, 1, 3, 1]}
    (unclear,) = found(history([100, 50, 51, 17, 17], split_adjusted=None, **given))
    assert unclear.rule == "split_adjusted_unclear"
    assert (unclear.date, unclear.last) == (dt.date(2024, 1, 3), dt.date(2024, 1, 5))
    assert "2 splits" in unclear.message
    assert "(5 rows not said)" in unclear.message
    assert rules(history([100, 99, 98], split_adjusted=None, split_ratio=[1, 1, 1])) == []


def test_closes_of_two_kinds_in_one_history() -> None:
    flags = [0, 0, 1, 1, np.nan]
    (mixed,) = found(
        history([100, 50, 51, 51, 51.5], split_adjusted=flags, split_ratio=[1, 2, 1, 1, 1])
    )
    assert mixed.rule == "split_adjusted_unclear"
    assert "(2 rows as traded, 2 rows divided by later splits, 1 row not said)" in mixed.message


def test_distributions_on_a_row_without_a_close() -> None:
    close = [100, np.nan, 100]
    given = {"adjusted_close": [99, 99.5, 100]}
    dividend, split = found(
        history(close, dividend_amount=[0, 0.5, 0], split_ratio=[1, 1.01, 1], **given)
    )[:2]
    assert [dividend.rule, split.rule] == ["distribution_without_close"] * 2
    assert (dividend.field, dividend.value) == ("dividend_amount", "0.5")
    assert dividend.message.startswith("a dividend of 0.5 on a day without a close")
    assert (split.field, split.value) == ("split_ratio", "1.01")


def test_distributions_beside_adjusted_closes_alone() -> None:
    nothing = [np.nan] * 3
    given = {"adjusted_close": [99, 99.5, 100], "dividend_amount": [0, 0.5, 0]}
    assert rules(history(nothing, **given)) == []
    # on a day without any price it is misplaced all the same
    given["adjusted_close"] = [99, np.nan, 100]
    assert rules(history(nothing, **given)) == ["distribution_without_close"]


def test_ex_dates_on_a_closed_day() -> None:
    """2024-01-06 was a Saturday."""
    dates = np.append(DAYS[:4], np.datetime64("2024-01-06"))
    dates = np.append(dates, DAYS[4])
    given = history(
        [100, 100.1, 100.2, 100.3, 99.9, 50.1],
        dates=dates,
        dividend_amount=[0, 0, 0, 0, 0.5, 0],
        split_ratio=[1, 1, 1, 1, 1, 2],
    )
    extra, dividend = found(given, sessions=SESSIONS)
    assert extra.rule == "extra_session"
    assert extra.message == "a price on a Saturday on which XNYS was closed"
    assert dividend.rule == "distribution_off_session"
    assert dividend.date == dt.date(2024, 1, 6)
    assert (dividend.field, dividend.value) == ("dividend_amount", "0.5")
    assert dividend.message == (
        "a dividend of 0.5 on a Saturday on which XNYS was closed, expected an ex-date that is a "
        "session"
    )
