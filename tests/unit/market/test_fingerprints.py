"""Fingerprints of prices: which symbol's have changed."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys

import numpy as np
import pytest

from etf_backtest.market import PriceBasis, PricePanel, PriceSeries, Quotes

DAYS = np.array(["2024-01-02", "2024-01-03", "2024-01-04"], dtype="datetime64[D]")
DAY_NUMBERS = (19724, 19725, 19726)  # days since 1970-01-01, from the calendar: 54 years, 14 leap


def panel() -> PricePanel:
    return PricePanel.from_series(
        [
            PriceSeries.from_closes(
                "A",
                DAYS,
                [10.0, 11.0, 6.0],
                dividends=[0.0, 0.5, 0.0],
                splits=[1.0, 1.0, 2.0],
                split_adjusted=False,
            ),
            PriceSeries("B", DAYS[1:], np.array([1.5, 2.5]), PriceBasis.ADJUSTED_CLOSE),
        ]
    )


def by_hand(*parts: bytes) -> str:
    whole = b"".join(struct.pack("<Q", len(part)) + part for part in parts)
    return hashlib.sha256(whole).hexdigest()


def test_the_layout_by_hand() -> None:
    given = panel()
    assert given.fingerprints() == {
        "A": by_hand(
            b"etf_backtest prices 1",
            b"A",
            b"close",
            struct.pack("<3q", *DAY_NUMBERS),
            struct.pack("<3d", *given.prices[:, 0]),
            struct.pack("<3d", 10.0, 11.0, 6.0),
            struct.pack("<3d", 0.0, 0.5, 0.0),
            struct.pack("<3d", 1.0, 1.0, 2.0),
        ),
        "B": by_hand(
            b"etf_backtest prices 1",
            b"B",
            b"adjusted_close",
            struct.pack("<2q", *DAY_NUMBERS[1:]),
            struct.pack("<2d", 1.5, 2.5),
        ),
    }


def test_other_symbols_do_not_matter() -> None:
    given = panel()
    for symbol in given.symbols:
        alone = given.select([symbol])
        known = given.fingerprints()[symbol]
        assert alone.fingerprints() == {symbol: known}
        assert alone.priced_sessions().fingerprints() == {symbol: known}
    assert given.select(["B", "A"]).fingerprints() == given.fingerprints()


def with_bit(values: np.ndarray, row: int, column: int) -> np.ndarray:
    """The values with the last bit of one of them turned over."""
    changed = values.copy()
    changed.view(np.int64)[row, column] ^= 1
    return changed


@pytest.mark.parametrize("field", ["prices", "closes", "dividends", "splits", "date", "basis"])
def test_one_bit_changes_the_fingerprint_of_its_symbol(field: str) -> None:
    given = panel()
    assert given.quotes is not None
    dates, basis, prices = given.dates, given.basis, given.prices
    quotes = {name: getattr(given.quotes, name) for name in ("closes", "dividends", "splits")}
    if field == "prices":
        prices = with_bit(prices, 1, 0)
    elif field == "date":
        dates = np.array([DAYS[0] - 1, *DAYS[1:]])  # on which B has no price
    elif field == "basis":
        basis = (PriceBasis.SPLIT_ADJUSTED_CLOSE, basis[1])
    else:
        quotes[field] = with_bit(quotes[field], 1, 0)
    changed = PricePanel(dates, given.symbols, prices, basis, Quotes(**quotes)).fingerprints()
    assert changed["A"] != given.fingerprints()["A"]
    assert changed["B"] == given.fingerprints()["B"]


def test_quotes_count() -> None:
    given = panel()
    bare = PricePanel(given.dates, given.symbols, given.prices, given.basis).fingerprints()
    assert bare["A"] != given.fingerprints()["A"]
    assert bare["B"] == given.fingerprints()["B"]


def test_minus_zero_and_the_bits_of_nan_do_not_count() -> None:
    given = panel()
    assert given.quotes is not None
    prices, dividends = given.prices.copy(), given.quotes.dividends.copy()
    prices.view(np.uint64)[0, 1] = 0xFFF8_0000_0000_0001
    assert np.isnan(prices[0, 1])
    dividends[dividends == 0] = -0.0
    quotes = Quotes(given.quotes.closes, dividends, given.quotes.splits)
    same = PricePanel(given.dates, given.symbols, prices, given.basis, quotes)
    assert same.fingerprints() == given.fingerprints()


def test_another_process_says_the_same_and_needs_no_pandas() -> None:
    code = (
        "import sys\n"
        "import numpy as np\n"
        "from etf_backtest.market import PricePanel\n"
        "dates = np.array(['2024-01-02', '2024-01-03'], dtype='datetime64[D]')\n"
        "prices = np.array([[1.0, 3.0], [2.0, 4.0]], order='F')\n"
        "panel = PricePanel(dates, ('A', 'B'), prices, ('total_return',) * 2)\n"
        "print(panel.fingerprints()['B'], 'pandas' in sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = by_hand(
        b"etf_backtest prices 1",
        b"B",
        b"total_return",
        struct.pack("<2q", *DAY_NUMBERS[:2]),
        struct.pack("<2d", 3.0, 4.0),
    )
    assert run.stdout.split() == [expected, "False"]
