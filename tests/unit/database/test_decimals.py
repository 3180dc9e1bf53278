"""Rounding at the database's edge, against cases worked out by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from etf_backtest.database.decimals import rounded, to_column


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0.12345", "0.1234"),  # a tie goes to the even neighbour: 4, not 5
        ("0.12355", "0.1236"),
        ("0.123450001", "0.1235"),
        ("-0.12345", "-0.1234"),
        ("52.704", "52.7040"),
    ],
)
def test_ties_go_to_the_even_neighbour(value: str, expected: str) -> None:
    assert str(rounded(Decimal(value), scale=4)) == expected


def test_a_float_is_rounded_as_it_is_written() -> None:
    # 2.675 is 2.67499999... in binary; written 2.675 it is a tie, and 8 is even
    assert to_column(2.675, precision=10, scale=2) == Decimal("2.68")


def test_what_does_not_fit_is_none_and_never_clipped() -> None:
    assert to_column(9999.9999994, precision=10, scale=6) == Decimal("9999.999999")
    assert to_column(9999.9999996, precision=10, scale=6) is None
    assert to_column(-10000.0, precision=10, scale=6) is None
    assert to_column(1e300, precision=10, scale=6) is None
