"""The memory of what batches had: against a plain dictionary."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from etf_backtest.market.bars import Bars
from etf_backtest.market.quality import SessionsSeen

FIRST, LAST = np.datetime64("1678-01-01"), np.datetime64("2262-04-11")
SPAN = int((LAST - FIRST).astype(int))

# days around the edges of pages of 1,024, of bytes, and of what can be stored
DAYS = st.sampled_from((0, 1, 7, 8, 1_023, 1_024, 1_025, 126_476, SPAN - 1, SPAN))
BATCHES = st.lists(
    st.lists(st.tuples(st.sampled_from("ABCDE"), DAYS, st.booleans()), max_size=12), max_size=5
)


def batch(rows: list[tuple[str, int, bool]]) -> Bars:
    symbols = list(dict.fromkeys(symbol for symbol, _day, _skipped in rows))
    return Bars.from_columns(
        symbols,
        np.array([symbols.index(symbol) for symbol, _day, _skipped in rows], np.int32),
        FIRST + np.array([day for _symbol, day, _skipped in rows], np.int64),
    )


@given(BATCHES)
def test_the_same_as_a_dictionary(batches: list[list[tuple[str, int, bool]]]) -> None:
    seen = SessionsSeen()
    remembered: set[tuple[str, int]] = set()
    for rows in batches:
        skipped = np.array([skip for _symbol, _day, skip in rows], np.bool_)
        here: dict[tuple[str, int], int] = {}
        expected = []
        for place, (symbol, day, skip) in enumerate(rows):
            if skip:
                continue
            if (symbol, day) in remembered:
                expected.append((place, -1))
            elif (symbol, day) in here:
                expected.append((place, here[symbol, day]))
            here.setdefault((symbol, day), place)
        remembered |= here.keys()
        repeats = seen.add(batch(rows), except_for=skipped)
        assert list(zip(repeats.rows.tolist(), repeats.firsts.tolist(), strict=True)) == expected


def test_dates_that_cannot_be_stored_do_not_count() -> None:
    dates = np.array(["1677-12-31", "1677-12-31", "2262-04-12", "2262-04-12", "NaT", "NaT"])
    rows = Bars.from_columns(["SPY"], np.zeros(6, np.int32), dates.astype("datetime64[D]"))
    assert SessionsSeen().add(rows).rows.size == 0


def test_a_symbol_is_the_same_under_another_number() -> None:
    seen = SessionsSeen()
    day = np.array(["2024-01-02"] * 2, "datetime64[D]")
    assert seen.add(Bars.from_columns(["A", "B"], np.array([0, 1]), day)).rows.size == 0
    again = seen.add(Bars.from_columns(["C", "B"], np.array([0, 1]), day))
    assert again.rows.tolist() == [1]
    assert again.firsts.tolist() == [-1]


def test_memory_is_that_of_the_days_not_of_the_rows() -> None:
    """40 years of 1,000 symbols, in both orders: 15 or 16 pages of 128 bytes, and 209 numbers."""
    days = np.arange("1984-01-01", "2024-01-01", dtype="datetime64[D]")[::7]
    seen = SessionsSeen()
    symbols = [f"S{number}" for number in range(1_000)]
    codes = np.arange(1_000)
    for day in days[:200]:
        assert seen.add(Bars.from_columns(symbols, codes, np.repeat(day, 1_000))).rows.size == 0
    for number in range(0, 1_000, 100):
        rows = Bars.from_columns(symbols, np.repeat(number, days.size), days)
        assert seen.add(rows).rows.tolist() == list(range(200))
    assert seen.size_in_bytes < 1_000 * (16 * 128 + 209 * 4) * 2  # arrays grow by doubling
