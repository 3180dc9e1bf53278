"""Parquet files: the same values by any type, and what is damaged is told."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from etf_backtest.errors import EtfBacktestError, PriceFileError
from etf_backtest.providers import parquet_prices
from tests.unit.providers.reading import bars, batches, findings, opened, rejects

DAYS = [dt.date(2024, 1, 2), dt.date(2024, 1, 3)]


def write(directory: Path, columns: dict[str, Any], name: str = "prices.parquet") -> Path:
    path = directory / name
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    "symbols",
    [
        pa.array(["SPY", "SPY"]),
        pa.array(["SPY", "SPY"], pa.large_string()),
        pa.array(["spy", "spy"]).dictionary_encode(),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "dates",
    [
        pa.array(DAYS, pa.date32()),
        pa.array(DAYS, pa.date64()),
        pa.array(DAYS).cast(pa.timestamp("ns")),
        pa.array(DAYS).cast(pa.timestamp("s")),
        pa.array(["2024-01-02", "2024-01-03"]),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "closes",
    [
        pa.array([Decimal("472.65"), None], pa.decimal128(10, 4)),
        pa.array([Decimal("472.65"), None], pa.decimal256(40, 30)),
        pa.array([472.65, None]),
        pa.array([472.65, float("nan")]),
        pa.array(["472.65", ""]),
        pa.array(["472.65", None]).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
def test_types_of_the_same_table(tmp_path: Path, symbols: Any, dates: Any, closes: Any) -> None:
    read = batches(write(tmp_path, {"Symbol": symbols, "Date": dates, "Close": closes}))
    assert bars(read) == [
        {"row": 1, "symbol": "SPY", "date": "2024-01-02", "close": "472.6500"},
        {"row": 2, "symbol": "SPY", "date": "2024-01-03"},
    ]


def test_rows_that_cannot_be_read_are_rejects_by_their_number(tmp_path: Path) -> None:
    days = [dt.datetime(2024, 1, 2, 16), dt.datetime(2024, 1, 3), None, dt.datetime(2024, 1, 4)]  # noqa: DTZ001
    path = write(
        tmp_path,
        {"symbol": ["A", None, "A", "A"], "date": days, "close": [1.0, 1.0, 1.0, float("inf")]},
    )
    assert rejects(batches(path)) == [
        "row 1, A: 2024-01-02T16:00:00 is not a date: it has a clock time",
        "row 2, 2024-01-03: has no symbol",
        "row 3, A: has no date",
        "row 4, A, 2024-01-04: close 'inf' is not a number like 1234.5",
    ]
    assert findings(batches(path))[3].text == "A,2024-01-04 00:00:00,inf"


def test_wide_tables_and_exports_are_told_by_their_columns(tmp_path: Path) -> None:
    path = write(tmp_path, {"date": DAYS, "BRK.B": [1.5, None], "SPY": [2, 3]})
    read = bars(batches(path, wide_field="close"))
    assert [(b["symbol"], b["close"]) for b in read] == [
        ("BRK.B", "1.5000"),
        ("SPY", "2.0000"),
        ("SPY", "3.0000"),
    ]
    names = ["Date", "Open", "High", "Low", "Close", "Adj Close", "Volume"]
    path = write(
        tmp_path, {name: DAYS if name == "Date" else [1, 2] for name in names}, "X.parquet"
    )
    source = opened(path)
    assert source.split_adjusted is True
    assert bars(list(source.batches()))[0]["symbol"] == "X"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"symbol": ["A"], "date": DAYS[:1], "close": [True]}, "the type bool in the column close"),
        ({"symbol": [1], "date": DAYS[:1], "close": [1]}, "the type int64 in the column symbol"),
        ({"symbol": ["A"], "date": [20240102], "close": [1]}, "the type int64 in the column date"),
        (
            {
                "symbol": ["A"],
                "date": pa.array(DAYS[:1]).cast(pa.timestamp("us", "UTC")),
                "close": [1],
            },
            "has dates with the time zone UTC",
        ),
        ({"symbol": ["A"], "date": DAYS[:1], "close": [[1]]}, "in the column close"),
        ({"symbol": pa.array([], pa.string()), "date": [], "close": []}, "has no prices in it"),
        ({"__index_level_0__": DAYS, "SPY": [1, 2]}, "has the header '__index_level_0__,SPY'"),
    ],
)
def test_columns_of_other_types_are_one_error(
    tmp_path: Path, columns: dict[str, Any], message: str
) -> None:
    with pytest.raises(PriceFileError) as caught:
        batches(write(tmp_path, columns))
    assert message in str(caught.value)


def whole(directory: Path) -> bytes:
    path = directory / "whole.parquet"
    days = [dt.date(2020, 1, 1) + dt.timedelta(i) for i in range(500)]
    table = pa.table({"symbol": ["A"] * 500, "date": days, "close": [i / 4 for i in range(500)]})
    pq.write_table(table, path, write_page_checksum=True, compression="none")
    return path.read_bytes()


def test_a_file_that_is_cut_off_is_told(tmp_path: Path) -> None:
    content = whole(tmp_path)
    path = tmp_path / "cut.parquet"
    for size in (4, 8, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(PriceFileError, match=r"cut\.parquet: is cut off or damaged: "):
            batches(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_an_error_or_has_what_it_had(tmp_path: Path, data: st.DataObject) -> None:
    """The pages have checksums, so that no other number comes out of a changed byte in them."""
    content = bytearray(whole(tmp_path))
    pages = content.index(b"PAR1", 4) if b"PAR1" in content[4:-4] else len(content)
    place = data.draw(st.integers(4, pages - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "damaged.parquet"
    path.write_bytes(content)
    try:
        read = batches(path)
    except EtfBacktestError:
        return
    assert sum(len(batch.bars) for batch in read) + len(rejects(read)) > 0


def test_row_groups_and_batches_are_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_prices, "MOST_ROWS", 70)
    path = tmp_path / "prices.parquet"
    days = [dt.date(2020, 1, 1) + dt.timedelta(i) for i in range(500)]
    table = pa.table({"symbol": ["A"] * 500, "date": days, "close": range(500)})
    pq.write_table(table, path, row_group_size=110)
    read = batches(path)
    assert max(len(batch.bars) for batch in read) <= 70
    assert [b["row"] for b in bars(read)] == list(range(1, 501))
    assert [b["date"] for b in bars(read)] == [str(day) for day in days]


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, {"symbol": ["A"], "date": DAYS[:1], "close": [1]})
    iterator = opened(path).batches()
    next(iterator)
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(PriceFileError, match="was changed while it was read"):
        list(iterator)


@pytest.mark.parametrize("name", ["date", "Date", None])
def test_a_wide_dataframe_as_pandas_writes_it_has_its_dates_behind_the_symbols(
    tmp_path: Path, name: str | None
) -> None:
    frame = pd.DataFrame(
        {"SPY": [472.65, 468.79], "agg": [98.55, float("nan")]},
        index=pd.DatetimeIndex(DAYS, name=name),
    )
    frame.to_parquet(path := tmp_path / "wide.parquet")
    last = pq.read_schema(path).names[-1]
    assert last == (name or "__index_level_0__")
    assert bars(batches(path, wide_field="close")) == [
        {"row": 1, "symbol": "SPY", "date": "2024-01-02", "close": "472.6500"},
        {"row": 1, "symbol": "AGG", "date": "2024-01-02", "close": "98.5500"},
        {"row": 2, "symbol": "SPY", "date": "2024-01-03", "close": "468.7900"},
    ]


def test_an_index_that_only_counts_is_no_date(tmp_path: Path) -> None:
    frame = pd.DataFrame({"SPY": [472.65]}, index=pd.Index([7]))
    frame.to_parquet(path := tmp_path / "wide.parquet")
    with pytest.raises(PriceFileError, match="has the header '__index_level_0__,SPY'"):
        opened(path, wide_field="close")


@pytest.mark.parametrize("about", [b"{", b"[]", b'{"index_columns": 1}'])
def test_what_pandas_says_of_a_file_need_not_be_right(tmp_path: Path, about: bytes) -> None:
    path = tmp_path / "prices.parquet"
    table = pa.table({"date": pa.array(DAYS), "SPY": [472.65, 468.79]})
    pq.write_table(table.replace_schema_metadata({b"pandas": about}), path)
    assert len(bars(batches(path, wide_field="close"))) == 2
