"""Cells as whole numbers of the last place: exact, and rounded half to even."""

from __future__ import annotations

import re
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etf_backtest.errors import LayoutError
from etf_backtest.market.bars import UNKNOWN
from etf_backtest.providers.decimals import whole_numbers
from tests.oracles.csv_bars import scaled

SCALE = st.sampled_from([0, 4, 6, 12])
PLAIN = st.from_regex(r"\A[+-]?[0-9]{1,18}(\.[0-9]{0,25})?\Z")
WILD = st.from_regex(r"\A[+-]?[0-9]{1,45}(\.[0-9]{0,25})?([eE][+-]?[0-9]{1,3})?\Z")
ODD = st.text("0123456789+-.eE _,aNx\u0661", max_size=12)
TIES = st.integers(-(10**9), 10**9).map(lambda n: str(Decimal(2 * n + 1).scaleb(-5) / 2))


def expected(cells: list[str | None], scale: int, *, whole: bool) -> list[int | str]:
    """By Decimal with 3,000 digits; "problem" where it is no number of 64 bits."""
    result: list[int | str] = []
    for cell in cells:
        try:
            number = None if cell is None else scaled(cell.strip(), scale, whole=whole)
        except ValueError:
            result.append("problem")
        else:
            result.append(UNKNOWN if number is None else number)
    return result


@given(
    cells=st.lists(st.none() | PLAIN | ODD | TIES | WILD, max_size=8),
    scale=SCALE,
    whole=st.booleans(),
)
@example(cells=["0.00005000000000000000000000000000001"], scale=4, whole=False)
@example(cells=["0.00005", "0.00015", "-0.00005"], scale=4, whole=False)
@example(cells=["9223372036854775807", "-9223372036854775808"], scale=0, whole=False)
@example(cells=["1e999", "1e-999", "0e999", "-0"], scale=4, whole=False)
@example(cells=["1.50", "2.50", "1234.0"], scale=0, whole=True)
@example(cells=[str(2**128 + 12_345)], scale=0, whole=False)  # 12345 in its low 128 bits
@example(cells=["34028236692093846346337460743176822.3801"], scale=4, whole=False)
@example(cells=["34972929058107097009.6168", "1"], scale=0, whole=False)
@example(cells=["-.418585328760E-76"], scale=12, whole=False)
def test_text_gives_what_decimal_gives(cells: list[str | None], scale: int, whole: bool) -> None:
    numbers, problems = whole_numbers(
        pa.array(cells, pa.string()), scale, name="close", whole=whole
    )
    got = ["problem" if i in problems else int(n) for i, n in enumerate(numbers)]
    assert got == expected(cells, scale, whole=whole)
    assert all(numbers[i] == UNKNOWN for i in problems)


@given(values=st.lists(st.floats() | st.floats(1, 1000), max_size=8), scale=SCALE)
@example(values=[0.1 + 0.2, 2.675, 1e22, 5e-324, float("nan"), float("inf")], scale=4)
def test_floats_are_rounded_from_their_shortest_decimal(values: list[float], scale: int) -> None:
    """repr() gives the shortest decimal; NaN is unknown, infinity is a problem."""
    numbers, problems = whole_numbers(pa.array(values, pa.float64()), scale, name="close")
    texts = [None if np.isnan(value) else repr(value) for value in values]
    got = ["problem" if i in problems else int(n) for i, n in enumerate(numbers)]
    assert got == expected(list(texts), scale, whole=False)


@given(values=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5), scale=SCALE)
def test_integers_are_exact(values: list[int], scale: int) -> None:
    numbers, problems = whole_numbers(pa.array(values, pa.int64()), scale, name="close")
    got = ["problem" if i in problems else int(n) for i, n in enumerate(numbers)]
    assert got == expected([str(value) for value in values], scale, whole=False)


@given(values=st.lists(st.none() | st.decimals(-(10**9), 10**9, places=8), max_size=5))
def test_decimals_are_exact(values: list[Decimal | None]) -> None:
    column = pa.array(values, pa.decimal128(38, 8))
    for part in (column, column[1:]):  # an array with an offset
        numbers, problems = whole_numbers(part, 6, name="dividend_amount")
        cells = [None if value is None else str(value) for value in part.to_pylist()]
        assert numbers.tolist() == expected(list(cells), 6, whole=False)
        assert not problems


def test_a_column_of_another_type_is_named() -> None:
    with pytest.raises(LayoutError, match="has the type bool in the column close"):
        whole_numbers(pa.array([True]), 4, name="close")


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("12abc", "'12abc' is not a number like 1234.5"),
        ("1,234.50", "'1,234.50' is not a number like 1234.5"),
        ("472,65", "'472,65' is not a number like 1234.5"),
        ("NaN", "'NaN' is not a number"),
        ("$5", "'\\$5' is not a number"),
        ("1_0", "'1_0' is not a number"),
        ("1e20", "1E\\+20 is out of range"),
        ("1e300", "'1e300' is out of range"),
    ],
)
def test_what_is_no_number_is_quoted(cell: str, message: str) -> None:
    _, problems = whole_numbers(pa.array([cell]), 4, name="close")
    assert re.search(message, problems[0])


@pytest.mark.parametrize("value", [Decimal(2**128 // 10**4 + 1), Decimal(10**33)])
def test_decimals_that_leave_128_bits_are_out_of_range(value: Decimal) -> None:
    """Times 10**4 the low 128 bits of the first are a price: 0.8544."""
    column = pa.array([value, None], pa.decimal128(38, 0))
    numbers, problems = whole_numbers(column, 4, name="close")
    assert numbers.tolist() == [UNKNOWN, UNKNOWN]
    assert list(problems) == [0]
    assert problems[0].endswith("is out of range")
