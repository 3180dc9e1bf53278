"""Monthly and annual returns, and which periods the window has cut."""

import math

import numpy as np
import pytest

from etf_backtest.metrics import annual_returns, monthly_returns, return_table
from etf_backtest.typing import DateArray


def sessions(*days: str) -> DateArray:
    return np.array(days, dtype="datetime64[D]")


DATES = sessions("2023-11-15", "2023-11-30", "2023-12-29", "2024-01-31", "2024-03-01", "2024-03-28")
RETURNS = np.array([0.1, 0.2, -0.1, 0.05, 0.02])


def test_by_hand() -> None:
    table = return_table(RETURNS, DATES)
    assert table.years.tolist() == [2023, 2024]
    expected = np.full((2, 12), np.nan)
    expected[0, 10], expected[0, 11] = 0.1, 0.2
    # no session in February: its return is in that of March
    expected[1, 0], expected[1, 2] = -0.1, 1.05 * 1.02 - 1
    np.testing.assert_allclose(table.months, expected, rtol=1e-12)
    np.testing.assert_allclose(table.totals, [1.1 * 1.2 - 1, 0.9 * 1.05 * 1.02 - 1], rtol=1e-12)
    # November began on the 15th; 29 March was a Friday (and a holiday, but there is no calendar)
    assert np.argwhere(table.partial_months).tolist() == [[0, 10], [1, 2]]
    assert table.partial_years.tolist() == [True, True]


@pytest.mark.parametrize(
    ("first", "months", "years"),
    [
        ("2023-12-29", False, False),
        ("2023-12-31", False, False),
        ("2024-01-02", True, True),
    ],
)
def test_the_first_period_is_whole_if_the_initial_value_is_before_it(
    first: str, months: bool, years: bool
) -> None:
    table = return_table([0.1, 0.1], sessions(first, "2024-01-31", "2024-12-31"))
    assert table.partial_months[0, 0] == months
    assert table.partial_years.tolist() == [years]
    assert not table.partial_months[0, 11]


@pytest.mark.parametrize(
    ("last", "month", "year"),
    [
        ("2024-06-28", False, True),  # a Friday, then the weekend of 29 and 30 June
        ("2024-06-27", True, True),
        ("2023-12-29", False, False),  # the last weekday of 2023
        ("2023-12-28", True, True),
        ("2024-12-31", False, False),
    ],
)
def test_the_last_period_is_whole_if_no_weekday_is_left(last: str, month: bool, year: bool) -> None:
    table = return_table([0.1], sessions("2022-12-30", last))
    assert table.partial_months.any() == month
    assert table.partial_years[-1] == year


def test_a_window_inside_one_month() -> None:
    table = return_table([0.1, 0.1], sessions("2024-06-03", "2024-06-04", "2024-06-28"))
    assert table.partial_months.tolist() == [[False] * 5 + [True] + [False] * 6]
    assert table.totals.tolist() == pytest.approx([0.21])


def test_a_year_without_a_session() -> None:
    table = return_table([0.1, 0.2], sessions("2020-12-31", "2021-12-31", "2023-12-29"))
    assert table.years.tolist() == [2021, 2022, 2023]
    assert [math.isnan(total) for total in table.totals] == [False, True, False]
    assert np.isnan(table.months[1]).all()


def test_before_1970() -> None:
    table = return_table([0.1, 0.2], sessions("1968-12-31", "1969-12-31", "1970-01-30"))
    assert table.years.tolist() == [1969, 1970]
    assert np.argwhere(~np.isnan(table.months)).tolist() == [[0, 11], [1, 0]]


def test_series_of_periods() -> None:
    expected = [0.1, 0.2, -0.1, 1.05 * 1.02 - 1]
    np.testing.assert_allclose(monthly_returns(RETURNS, DATES), expected, rtol=1e-12)
    expected = [1.1 * 1.2 - 1, 0.9 * 1.05 * 1.02 - 1]
    np.testing.assert_allclose(annual_returns(RETURNS, DATES), expected, rtol=1e-12)


def test_the_table_is_frozen_and_its_frame_a_copy() -> None:
    table = return_table(RETURNS, DATES)
    for name in table.__dataclass_fields__:
        assert not getattr(table, name).flags.writeable
    frame = table.to_frame()
    assert frame.columns.tolist() == [*range(1, 13), "total", "partial"]
    assert frame.index.tolist() == [2023, 2024]
    assert frame.loc[2023, 12] == pytest.approx(0.2)
    assert frame["partial"].tolist() == [True, True]
    frame.loc[2023, 12] = 9.0
    assert table.months[0, 11] == pytest.approx(0.2)
