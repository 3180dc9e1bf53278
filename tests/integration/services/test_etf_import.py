"""Funds from files, and what is then known of them on a day. Expected values are by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import pytest

from etf_backtest.database.connection import Database
from etf_backtest.database.models import ETFStatus
from etf_backtest.errors import FundFileError, NotFoundError, UnknownCategoryError
from etf_backtest.providers.fund_file import read_funds
from etf_backtest.services.etf_facts import Stated, facts_on
from etf_backtest.services.etf_import import FundImport, import_funds
from etf_backtest.services.etfs import find_etf, list_etfs
from tests.integration.services.conftest import AddPrices


class Store(Protocol):
    """Import a file with that content."""

    async def __call__(self, content: str = ..., *, dry_run: bool = False) -> FundImport: ...


FILE = """\
symbol,valid_from,name,expense_ratio,category,status,inception_date,delisted_date,last_price,last_price_date,sector,assets_under_management,source
CUT,2012-10-17,Cut,0.07%,Large Blend,,2004-01-22,,,,,,supplement
CUT,2016-10-05,,0.04%,,,,,,,,,press release
CUT,2024-12-31,,0.03%,,,,,,,,2e9,fact sheet
END,2015-01-02,End,0.5%,Large Blend,,2010-05-03,2020-10-26,12.34,2020-10-23,Energy,1e8,
NEW,2024-12-31,New,,large blend,,,,,,energy,,fact sheet
"""


@pytest.fixture
def store(db: Database, tmp_path: Path) -> Store:
    """Import a file with that content."""

    async def write(content: str = FILE, *, dry_run: bool = False) -> FundImport:
        path = tmp_path / "funds.csv"
        path.write_text(content, encoding="utf-8")
        return await import_funds(db, read_funds(path), dry_run=dry_run)

    return write


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


async def test_twice_is_the_same_as_once(db: Database, store: Store) -> None:
    report = await store()
    assert report.funds == {"inserted": 3, "updated": 0, "unchanged": 0, "left_alone": 0}
    # END has its end as a statement of its own day
    assert report.statements == {"inserted": 6, "updated": 0, "unchanged": 0}
    before = await db.etfinfo.find_many(include={"facts": True}, order={"symbol": "asc"})
    report = await store()
    assert report.funds == {"inserted": 0, "updated": 0, "unchanged": 3, "left_alone": 0}
    assert report.statements == {"inserted": 0, "updated": 0, "unchanged": 6}
    # updated_at as well: no row was written
    assert await db.etfinfo.find_many(include={"facts": True}, order={"symbol": "asc"}) == before
    cut, end, new = before
    assert (cut.asOfDate, cut.expenseRatio, cut.source) == (
        dt.datetime(2024, 12, 31, tzinfo=dt.UTC), Decimal("0.0003"), "fact sheet",
    )  # fmt: skip
    assert (end.status, end.delistedDate, end.lastPrice) == (
        ETFStatus.delisted, dt.datetime(2020, 10, 26, tzinfo=dt.UTC), Decimal("12.34"),
    )  # fmt: skip
    assert end.source == "funds.csv"
    assert (new.expenseRatio, new.status) == (None, ETFStatus.active)


async def test_a_dry_run_stores_nothing(db: Database, store: Store) -> None:
    report = await store(dry_run=True)
    assert report.funds["inserted"] == 3
    assert report.dry_run
    assert await db.etfinfo.count() == await db.etffacts.count() == 0


async def test_facts_are_those_that_were_stated_by_then(db: Database, store: Store) -> None:
    await store()
    for date, ratio in (
        ("2012-10-16", None),
        ("2012-10-17", "0.0007"),
        ("2016-10-04", "0.0007"),
        ("2016-10-05", "0.0004"),
        ("2024-12-30", "0.0004"),
        ("2030-01-01", "0.0003"),
    ):
        facts = await facts_on(db, "cut", day(date))
        assert (facts.expense_ratio and facts.expense_ratio.value) == (ratio and Decimal(ratio)), (
            date
        )
    facts = await facts_on(db, "CUT", day("2020-01-01"))
    assert facts.expense_ratio == Stated(Decimal("0.0004"), day("2016-10-05"), "press release")
    # silent since: the statement before holds
    assert facts.category == Stated("Large Blend", day("2012-10-17"), "supplement")
    assert facts.assets_under_management is None
    assert facts.benchmark_index is None
    ended = await facts_on(db, "END", day("2020-10-26"))
    assert ended.status == Stated(ETFStatus.delisted, day("2020-10-26"), "funds.csv")
    with pytest.raises(NotFoundError, match="there is no ETF 'CUTS'"):
        await facts_on(db, "cuts", day("2020-01-01"))


async def test_older_rows_change_nothing_that_is_newer(db: Database, store: Store) -> None:
    await store()
    report = await store(
        "symbol,valid_from,name,issuer,expense_ratio\nCUT,2010-01-04,Older name,Issuer,0.0945%\n"
    )
    assert report.funds["updated"] == 1
    cut = await db.etfinfo.find_unique_or_raise(where={"symbol": "CUT"})
    assert (cut.name, cut.issuer, cut.expenseRatio) == ("Cut", "Issuer", Decimal("0.0003"))
    assert (await facts_on(db, "CUT", day("2011-01-01"))).expense_ratio == Stated(
        Decimal("0.000945"), day("2010-01-04"), "funds.csv"
    )
    # and a newer one changes both
    await store("symbol,valid_from,name,expense_ratio\nCUT,2025-02-01,Newer name,0.02%\n")
    cut = await db.etfinfo.find_unique_or_raise(where={"symbol": "CUT"})
    assert (cut.name, cut.expenseRatio) == ("Newer name", Decimal("0.0002"))


async def test_a_statement_is_merged_with_that_of_its_day(db: Database, store: Store) -> None:
    await store()
    report = await store(
        "symbol,valid_from,expense_ratio,benchmark_index,source\nCUT,2016-10-05,0.05%,Index,letter\n"
    )
    assert report.statements == {"inserted": 0, "updated": 1, "unchanged": 0}
    facts = await facts_on(db, "CUT", day("2017-01-01"))
    assert facts.expense_ratio == Stated(Decimal("0.0005"), day("2016-10-05"), "letter")
    assert facts.benchmark_index == Stated("Index", day("2016-10-05"), "letter")
    # the same figures of a file that names no source change no source
    report = await store("symbol,valid_from,expense_ratio\nCUT,2016-10-05,0.05%\n")
    assert report.statements["unchanged"] == 1


async def test_the_day_of_an_end_is_corrected(db: Database, store: Store) -> None:
    await store()
    await db.etffacts.create(
        {
            "fund": {"connect": {"symbol": "END"}},
            "validFrom": dt.datetime(2021, 1, 4, tzinfo=dt.UTC),
            "status": ETFStatus.active,
        }
    )
    end = await db.etfinfo.find_unique_or_raise(where={"symbol": "END"})
    assert end.status == ETFStatus.active
    for _ in range(2):
        await store("symbol,valid_from,delisted_date\nEND,2024-12-31,2020-10-27\n")
        details = await find_etf(db, "END")
        assert details.fund.info.delistedDate == dt.datetime(2020, 10, 27, tzinfo=dt.UTC)
        statuses = [
            (f.validFrom.date(), f.status) for f in details.fund.info.facts or () if f.status
        ]
        assert statuses == [(day("2020-10-27"), ETFStatus.delisted)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            "symbol,valid_from,expense_ratio\nXXX,2024-12-31,0.1%\n",
            "row 2, XXX: name: expected a name",
        ),
        (
            "symbol,valid_from,status\nCUT,2024-12-31,delisted\n",
            "row 2, CUT: delisted_date: expected the first day without trading",
        ),
        (
            "symbol,valid_from,status\nEND,2019-12-31,delisted\n",
            "row 2, END: status 'delisted': expected active before 2020-10-26",
        ),
        (
            "symbol,valid_from,status,delisted_date\nEND,2021-12-31,active,2020-10-26\n",
            "status 'active': expected delisted from 2020-10-26 on",
        ),
        (
            "symbol,valid_from,delisted_date\nEND,2019-12-31,2020-10-26\nEND,2020-12-31,2020-10-27\n",
            "row 3, END: delisted_date '2020-10-27': expected one end of a fund, 2020-10-26",
        ),
        (
            "symbol,valid_from,last_price\nEND,2020-10-26,12.35\n",
            "last_price_date: expected a last price and its date",
        ),
        (
            "symbol,valid_from,last_price,last_price_date\nEND,2020-10-26,12.35,2020-10-27\n",
            "last_price_date '2020-10-27': expected a day until 2020-10-26",
        ),
        (
            "symbol,valid_from,inception_date\nEND,2020-10-26,2020-10-27\n",
            "inception_date '2020-10-27': expected a day until 2020-10-26",
        ),
    ],
)
async def test_contradictions_store_nothing(
    db: Database, store: Store, content: str, told: str
) -> None:
    await store()
    before = await db.etfinfo.find_many(include={"facts": True}, order={"symbol": "asc"})
    with pytest.raises(FundFileError) as caught:
        await store(content)
    assert told in str(caught.value)
    assert await db.etfinfo.find_many(include={"facts": True}, order={"symbol": "asc"}) == before


async def symbols(db: Database, **filters: object) -> list[str]:
    found = await list_etfs(db, **filters)  # type: ignore[arg-type]  # filters of every type
    return [fund.info.symbol for fund in found.funds]


async def test_lists(db: Database, store: Store) -> None:
    assert await symbols(db) == []
    await store()
    assert await symbols(db) == ["CUT", "END", "NEW"]
    assert await symbols(db, category="LARGE blend") == ["CUT", "END", "NEW"]
    assert await symbols(db, sector="ENERGY") == ["END", "NEW"]
    assert await symbols(db, status="active") == ["CUT", "NEW"]
    assert await symbols(db, status="delisted") == ["END"]
    assert await symbols(db, max_expense=Decimal("0.0003")) == ["CUT"]
    assert await symbols(db, min_assets=Decimal("1e8")) == ["CUT", "END"]
    with pytest.raises(UnknownCategoryError, match="did you mean Large Blend"):
        await symbols(db, category="large blnd")
    with pytest.raises(UnknownCategoryError, match="no fund is of the sector 'Tech'"):
        await symbols(db, sector="Tech")


async def test_lists_of_a_day(db: Database, store: Store) -> None:
    await store()
    for date, alive in (
        ("2004-01-21", []),
        ("2004-01-22", ["CUT"]),
        ("2010-05-03", ["CUT", "END"]),
        ("2020-10-25", ["CUT", "END"]),
        ("2020-10-26", ["CUT"]),
    ):
        assert await symbols(db, alive_on=day(date)) == alive, date
    assert await symbols(db, alive_on=day("2015-01-02"), status="delisted") == ["END"]
    # the ratio of that day: 0.07 %, not today's 0.03 %
    cheap = Decimal("0.0005")
    assert await symbols(db, alive_on=day("2015-01-02"), max_expense=cheap) == []
    assert await symbols(db, alive_on=day("2016-10-05"), max_expense=cheap) == ["CUT"]


async def test_what_is_not_known_is_left_out_and_counted(db: Database, store: Store) -> None:
    await store()
    found = await list_etfs(db, alive_on=day("2010-05-03"), max_expense=Decimal("0.5"))
    assert found.funds == ()
    # NEW's inception; of the two others no ratio was stated by then
    assert found.unknown == {"inception_date": 1, "expense_ratio": 2}
    found = await list_etfs(db, sector="energy", min_assets=Decimal(0))
    assert [fund.info.symbol for fund in found.funds] == ["END"]
    assert found.unknown == {"sector": 1, "assets_under_management": 1}


async def test_all_about_a_fund(db: Database, store: Store, add_prices: AddPrices) -> None:
    await store()
    details = await find_etf(db, "cut")
    assert (details.prices, details.proxy) == (None, None)
    await add_prices("CUT", ["10", "11", "12"])
    await db.marketdata.update_many(
        where={"adjustedClose": Decimal(11)}, data={"close": Decimal("10.5")}
    )
    prices = (await find_etf(db, "CUT")).prices
    assert prices is not None
    # 2024-01-01 was a Monday; only Tuesday's row has a close
    assert (prices.first, prices.last, prices.sessions) == (day("2024-01-01"), day("2024-01-03"), 3)
    assert (prices.last_close, prices.last_close_date) == (Decimal("10.5"), day("2024-01-02"))
