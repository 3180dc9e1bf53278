"""Files into the store: all or nothing, or the good rows and a list of the others."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import asyncpg
import numpy as np
import pandas as pd
import pytest

from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import (
    NoPricesError,
    PriceDataError,
    PriceFileError,
    RejectedPricesError,
)
from etf_backtest.market.bars import SCALES, Bars
from etf_backtest.market.quality import Finding
from etf_backtest.providers.frame_prices import frame_prices
from etf_backtest.providers.price_files import open_prices
from etf_backtest.providers.rejects_file import write_rejects
from etf_backtest.providers.sample_prices import SamplePrices
from etf_backtest.providers.source import PriceBatch, PriceSource
from etf_backtest.services import ingest
from etf_backtest.services.ingest import import_prices
from etf_backtest.services.price_check import check_sources, check_splits, check_stored_prices
from etf_backtest.services.price_export import export_prices
from etf_backtest.services.price_panel import load_prices

TODAY = dt.date(2024, 6, 3)
GOOD = """symbol,date,open,high,low,close,adjusted_close,volume,dividend_amount,split_ratio
SPY,2024-01-02,472.16,473.67,470.49,472.65,466.66,123623700,0,1
SPY,2024-01-03,470.43,471.19,468.17,468.79,462.85,103585900,0,1
"""
BAD = """symbol,date,close
QQQ,2024-01-02,402.59
QQQ,2024-01-03,0
QQQ,2024-01-04,none
QQQ,2024-01-02,402.59
QQQ,2024-06-04,450
QQQ,2024-01-05,396.75
"""


@pytest.fixture
def url(database_url: str) -> DatabaseUrl:
    return DatabaseUrl.parse(database_url)


@pytest.fixture
def files(tmp_path: Path) -> tuple[PriceSource, ...]:
    (tmp_path / "a_good.csv").write_text(GOOD)
    (tmp_path / "b_bad.csv").write_text(BAD)
    return open_prices([tmp_path]).sources


async def fetch(url: DatabaseUrl, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(**url.asyncpg_arguments())
    try:
        return await connection.fetch(query)
    finally:
        await connection.close()


async def test_one_bad_row_in_one_file_keeps_all_files_out(
    url: DatabaseUrl, files: tuple[PriceSource, ...]
) -> None:
    with pytest.raises(RejectedPricesError) as caught:
        await import_prices(url, files, today=TODAY)
    assert caught.value.problems == (
        "b_bad.csv: row 4, QQQ, 2024-01-04: close 'none' is not a number like 1234.5",
        "b_bad.csv: row 3, QQQ, 2024-01-03: close 0 is not a price (0.0001 to 999999.9999)",
        "b_bad.csv: row 5, QQQ, 2024-01-02: this symbol has this date twice, first in row 2",
        "b_bad.csv: row 6, QQQ, 2024-06-04: 2024-06-04 is in the future (today is 2024-06-03)",
    )
    assert "(and 3 further problems)" in str(caught.value)
    assert await fetch(url, "SELECT * FROM market_data") == []
    assert await fetch(url, "SELECT * FROM price_revisions") == []


async def test_skip_bad_stores_the_good_rows_and_accounts_for_every_other(
    url: DatabaseUrl, files: tuple[PriceSource, ...]
) -> None:
    report = await import_prices(url, files, skip_bad=True, today=TODAY)
    assert (report.rows, report.symbols) == (4, ("SPY", "QQQ"))
    assert (report.first, report.last) == (dt.date(2024, 1, 2), dt.date(2024, 1, 5))
    assert (report.store.inserted, report.store.updated, report.store.unchanged) == (4, 0, 0)
    assert sorted((f.row, f.rule) for f in report.rejects) == [
        (3, "price_range"),
        (4, "unreadable_number"),
        (5, "duplicate"),
        (6, "future_date"),
    ]
    # 8 lines of data: each is stored or told
    lines = GOOD.count("\n") + BAD.count("\n") - 2
    assert report.rows + len({f.row for f in report.rejects}) == lines
    stored = await fetch(url, "SELECT symbol, date, source FROM market_data ORDER BY 1, 2")
    assert [tuple(row) for row in stored] == [
        ("QQQ", dt.date(2024, 1, 2), "b_bad.csv"),
        ("QQQ", dt.date(2024, 1, 5), "b_bad.csv"),
        ("SPY", dt.date(2024, 1, 2), "a_good.csv"),
        ("SPY", dt.date(2024, 1, 3), "a_good.csv"),
    ]


async def test_nothing_is_stored_where_the_bad_rows_cannot_be_told(
    url: DatabaseUrl, files: tuple[PriceSource, ...], tmp_path: Path
) -> None:
    there = tmp_path / "rejects.csv"
    there.write_text("mine")
    for name in (there, tmp_path / "no folder" / "rejects.csv"):
        with pytest.raises(PriceFileError):
            await import_prices(
                url, files, skip_bad=True, today=TODAY, tell_rejects=partial(write_rejects, name)
            )
        assert await fetch(url, "SELECT * FROM price_revisions") == []
    told: list[Sequence[Finding]] = []
    report = await import_prices(url, files, skip_bad=True, today=TODAY, tell_rejects=told.append)
    assert [tuple(findings) for findings in told] == [report.rejects]


async def test_twice_is_the_same_as_once(url: DatabaseUrl) -> None:
    first = await import_prices(url, [SamplePrices()])
    second = await import_prices(url, [SamplePrices()])
    assert (first.store.inserted, first.store.revision) == (11_320, 1)
    assert (second.store.unchanged, second.store.revision) == (11_320, None)
    assert len(await fetch(url, "SELECT * FROM price_revisions")) == 1


async def test_a_revision_says_where_it_came_from_and_rows_what_their_closes_are(
    url: DatabaseUrl, tmp_path: Path
) -> None:
    (tmp_path / "VTI.csv").write_text(
        "Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-02,236,237,235,236.5,233.5,100\n"
    )
    (tmp_path / "long.csv").write_text(GOOD)
    sources = open_prices([tmp_path / "VTI.csv", tmp_path / "long.csv"], format=None).sources
    await import_prices(url, sources, today=TODAY)
    rows = await fetch(url, "SELECT DISTINCT symbol, split_adjusted, source FROM market_data")
    # Yahoo's closes are divided by later splits; a long file does not say what its closes are
    assert {tuple(row) for row in rows} == {("VTI", True, "VTI.csv"), ("SPY", None, "long.csv")}
    (revision,) = await fetch(url, "SELECT * FROM price_revisions")
    assert (revision["source"], revision["provider"], revision["inserted"]) == (
        "2 files",
        "file",
        3,
    )
    assert revision["split_adjusted"] is None


async def test_a_frame_from_a_notebook(url: DatabaseUrl) -> None:
    frame = pd.DataFrame(
        {"SPY": [472.65, 468.79], "QQQ": [402.59, np.nan]},
        index=pd.DatetimeIndex(["2024-01-02", "2024-01-03"], name="date"),
    )
    report = await import_prices(url, [frame_prices(frame, wide_field="close")], today=TODAY)
    assert (report.rows, report.store.inserted) == (3, 3)


class Endless:
    """Batches of one row; notes how far somebody has read."""

    name = "endless"
    split_adjusted: bool | None = None

    def __init__(self, *, good: int) -> None:
        self.good, self.read = good, 0

    def batches(self) -> Iterator[PriceBatch]:
        for number in range(1_000_000):
            self.read += 1
            day = np.datetime64("1990-01-01") + number
            close = 10_000 if number < self.good else 0
            yield PriceBatch(
                Bars.from_columns(
                    ("A",),
                    np.zeros(1, np.int32),
                    np.array([day]),
                    close=np.array([close]),
                    rows=np.array([number + 2]),
                )
            )


async def test_a_file_of_bad_rows_is_not_read_to_its_end(url: DatabaseUrl) -> None:
    source = Endless(good=5)
    with pytest.raises(RejectedPricesError, match="and 1,000 or more further problems"):
        await import_prices(url, [source])
    assert source.read == 5 + ingest.MOST_REJECTS + 1


async def test_rows_are_read_in_another_thread_and_counted(url: DatabaseUrl) -> None:
    threads: set[int] = set()
    counted: list[int] = []

    class Watched(SamplePrices):
        __slots__ = ()

        def batches(self) -> Iterator[PriceBatch]:
            threads.add(threading.get_ident())
            yield from SamplePrices.batches(self)

    await import_prices(url, [Watched()], progress=counted.append)
    assert threading.get_ident() not in threads
    assert counted[-1] == 11_320


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.parquet"])
async def test_what_is_exported_imports_as_the_same_to_the_last_place(
    url: DatabaseUrl, tmp_path: Path, name: str
) -> None:
    (tmp_path / "in.csv").write_text(GOOD.replace("0,1\n", "0.000001,0.333333333333\n"))
    await import_prices(url, open_prices([tmp_path / "in.csv"], closes="traded").sources)
    split = GOOD.replace("SPY", "VTI").replace("0,1\n", "0,4\n")
    (tmp_path / "split.csv").write_text(split)
    divided = open_prices([tmp_path / "split.csv"], closes="split-adjusted").sources
    await import_prices(url, divided)
    await import_prices(url, [SamplePrices()])
    # one symbol with all three, day by day: as traded, not said, divided by later splits
    await fetch(
        url,
        "UPDATE market_data SET split_adjusted = NULL, split_ratio = 1 "
        "WHERE symbol = 'SPY' AND date = '2024-01-03'",
    )
    await fetch(
        url,
        "INSERT INTO market_data (symbol, date, close, split_ratio, split_adjusted, source) "
        "VALUES ('SPY', '2024-01-04', 100, 2, true, 'by hand')",
    )
    report = await export_prices(url, tmp_path / name)
    assert (report.rows, report.symbols[0], len(report.symbols)) == (11_325, "MTUM", 7)
    assert report.split_adjusted == (False, None, True)
    columns = f"symbol, date, {', '.join(SCALES)}, split_adjusted"
    everything = f"SELECT {columns} FROM market_data ORDER BY 1, 2"
    before = await fetch(url, everything)

    again = await import_prices(url, open_prices([tmp_path / name]).sources)
    assert (again.store.inserted, again.store.updated, again.rows) == (0, 0, 11_325)
    await fetch(url, "DELETE FROM market_data")
    anew = await import_prices(url, open_prices([tmp_path / name]).sources)
    assert anew.store.inserted == 11_325
    stored = await fetch(url, everything)
    assert [row["split_adjusted"] for row in stored if row["symbol"] == "SPY"] == [
        False,
        None,
        True,
    ]
    assert stored == before


async def test_nothing_is_written_where_a_symbol_has_nothing(
    url: DatabaseUrl, tmp_path: Path
) -> None:
    await import_prices(url, [SamplePrices()])
    for symbols, start in ((["QUAL", "GHOST"], None), ([], dt.date(2023, 1, 1))):
        with pytest.raises(NoPricesError, match="no prices are stored"):
            await export_prices(url, tmp_path / "out.csv", symbols, start=start)
    assert not (tmp_path / "out.csv").exists()
    (tmp_path / "there.csv").write_text("mine")
    with pytest.raises(PriceFileError, match="is there already"):
        await export_prices(url, tmp_path / "there.csv")
    assert (tmp_path / "there.csv").read_text() == "mine"


async def test_a_part_of_the_days_is_exported(url: DatabaseUrl, tmp_path: Path) -> None:
    await import_prices(url, [SamplePrices()])
    report = await export_prices(
        url, tmp_path / "o.csv", ["qual"], start=dt.date(2014, 1, 2), end=dt.date(2014, 1, 3)
    )
    assert report.rows == 2
    first, *rows = (tmp_path / "o.csv").read_text().splitlines()
    assert first.startswith("symbol,date,open")
    assert [row.split(",")[:2] for row in rows] == [["QUAL", "2014-01-02"], ["QUAL", "2014-01-03"]]


async def test_the_sample_has_every_session_of_new_york(url: DatabaseUrl) -> None:
    await import_prices(url, [SamplePrices()])
    checks = await check_stored_prices(url)
    assert [check.exchange for check in checks] == ["XNYS"] * 5
    rules = {finding.rule for check in checks for finding in check.findings}
    assert rules == {"stale_run"}


async def test_each_fund_is_compared_with_its_own_exchange(
    url: DatabaseUrl, tmp_path: Path
) -> None:
    # 2024-01-15 is Martin Luther King Day in New York, 2024-05-01 Labour Day in Frankfurt
    days = ["2024-01-12", "2024-01-15", "2024-01-16"]
    lines = [f"{symbol},{day},100" for symbol in ("US", "DE") for day in days]
    (tmp_path / "x.csv").write_text("symbol,date,adjusted_close\n" + "\n".join(lines) + "\n")
    await import_prices(url, open_prices([tmp_path / "x.csv"]).sources, today=TODAY)
    await fetch(
        url,
        "INSERT INTO etf_info (symbol, name, exchange) VALUES"
        " ('DE', 'a fund', 'Xetra'), ('US', 'a fund', 'NYSE Arca') RETURNING 1",
    )
    german, american = await check_stored_prices(url, today=TODAY)
    assert (german.symbol, german.exchange, german.findings) == ("DE", "XETR", ())
    assert american.exchange == "XNYS"
    assert [(f.rule, f.date) for f in american.findings] == [
        ("extra_session", dt.date(2024, 1, 15))
    ]


async def test_an_exchange_that_nobody_knows_is_a_note(url: DatabaseUrl) -> None:
    await import_prices(url, [SamplePrices()])
    await fetch(
        url,
        "INSERT INTO etf_info (symbol, name, exchange) VALUES ('QUAL', 'q', 'Utopia') RETURNING 1",
    )
    (check,) = await check_stored_prices(url, ["qual"])
    assert check.exchange is None
    assert "Utopia is not an exchange whose sessions are known" in check.notes[0]


async def test_symbols_that_are_not_stored_cannot_be_checked(url: DatabaseUrl) -> None:
    await import_prices(url, [SamplePrices()])
    with pytest.raises(NoPricesError, match=r"QUALL: no prices are stored.*did you mean QUAL"):
        await check_stored_prices(url, ["QUALL"])


async def test_splits_are_compared_with_closes(url: DatabaseUrl, tmp_path: Path) -> None:
    # 2 for 1 on the second day. OK: 100 to 50 is as traded; FLAT: 100 to 100 is divided already;
    # DOWN: 100 to 200 is the inverse; NONE has no split
    closes = {"NONE": 100, "OK": 50, "FLAT": 100, "DOWN": 200}
    lines = [
        line
        for symbol, close in closes.items()
        for line in (
            f"{symbol},2024-01-02,100,0,1",
            f"{symbol},2024-01-03,{close},0,{1 if symbol == 'NONE' else 2}",
            f"{symbol},2024-01-04,{close},0,1",
        )
    ]
    (tmp_path / "x.csv").write_text(
        "symbol,date,close,dividend_amount,split_ratio\n" + "\n".join(lines) + "\n"
    )
    await import_prices(url, open_prices([tmp_path / "x.csv"], closes="traded").sources)
    check = await check_splits(url, [*closes, "UNKNOWN"])
    assert (check.symbols, check.complete) == (("OK", "FLAT", "DOWN"), True)
    assert [(f.symbol, f.rule, f.date) for f in check.findings] == [
        ("DOWN", "split_ratio_inverted", dt.date(2024, 1, 3)),
        ("FLAT", "split_adjusted_contradicted", dt.date(2024, 1, 3)),
    ]
    few = await check_splits(url, list(closes), most=2)
    assert (few.symbols, few.complete) == (("OK", "FLAT"), False)
    assert [finding.symbol for finding in few.findings] == ["FLAT"]
    none = await check_splits(url, "none")
    assert (none.symbols, none.findings, none.complete) == ((), (), True)


async def test_closes_of_two_sources_are_noted(url: DatabaseUrl, tmp_path: Path) -> None:
    head = "symbol,date,close,dividend_amount,split_ratio\n"
    (tmp_path / "a.csv").write_text(head + "SPY,2024-01-02,100,0,1\nQQQ,2024-01-02,50,0,1\n")
    (tmp_path / "b.csv").write_text(head + "SPY,2024-01-03,101,0,1\n")
    await import_prices(url, open_prices([tmp_path / "a.csv"], closes="traded").sources)
    assert (await load_prices(url, "SPY")).notes == ()
    await import_prices(url, open_prices([tmp_path / "b.csv"], closes="traded").sources)
    assert (await load_prices(url, ["SPY", "QQQ"])).notes == (
        "SPY: closes come from more than one source (a.csv from 2024-01-02, b.csv from "
        "2024-01-03): check them with etf-backtest prices check SPY",
    )


async def test_one_source_and_one_symbol_need_no_list_around_them(
    url: DatabaseUrl, tmp_path: Path
) -> None:
    index = pd.DatetimeIndex(["2024-01-02", "2024-01-03"])
    frame = pd.DataFrame({"SPY": [472.65, 468.79], "QQQ": [402.59, 396.75]}, index=index)
    source = frame_prices(frame, wide_field="adjusted_close")
    assert (await import_prices(url, source)).rows == 4
    report = await export_prices(url, str(tmp_path / "spy.csv"), "spy")
    assert (report.rows, report.symbols) == (2, ("SPY",))
    assert [check.symbol for check in await check_stored_prices(url, "spy")] == ["SPY"]
    assert (await load_prices(url, "spy")).panel.symbols == ("SPY",)
    assert (await load_prices(url, ["qqq", "SPY", "QQQ"])).panel.symbols == ("QQQ", "SPY")


@pytest.mark.parametrize("given", [pd.DataFrame(), "prices.csv", ["prices.csv"], 3])
async def test_what_is_no_source_is_refused(url: DatabaseUrl, given: object) -> None:
    with pytest.raises(PriceDataError, match="expected sources of prices, received"):
        await import_prices(url, given)  # type: ignore[arg-type]


def test_files_are_checked_before_their_import(files: tuple[PriceSource, ...]) -> None:
    check = check_sources(files, today=TODAY)
    assert (check.reading.rows, len(check.reading.rejects)) == (4, 4)
    assert [(each.symbol, each.rows) for each in check.series] == [("SPY", 2), ("QQQ", 2)]
    # of 2024-01-02 and 2024-01-05, with two sessions in between
    (missing,) = (f for f in check.series[1].findings if f.rule == "missing_sessions")
    assert (missing.date, missing.last) == (dt.date(2024, 1, 3), dt.date(2024, 1, 4))
