"""Funds from a file into the database: all of it or nothing, and twice is the same as once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Literal, cast

from etf_backtest.database.models import ETFStatus
from etf_backtest.errors import FundFileError
from etf_backtest.providers.fund_file import FundFile, FundRow
from etf_backtest.services.fund_merge import (
    FundChange,
    Statement,
    Value,
    changed_facts,
    fund_change,
)

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import (
        ETFFacts,
        ETFFactsCreateWithoutRelationsInput,
        ETFFactsUpdateInput,
        ETFInfo,
        ETFInfoCreateWithoutRelationsInput,
        ETFInfoUpdateInput,
        Prisma,
    )

STORE_WITHIN = dt.timedelta(minutes=10)
Stored = dict[tuple[str, dt.date], "ETFFacts"]

_ONE_AT_A_TIME = "LOCK TABLE etf_info IN SHARE ROW EXCLUSIVE MODE"
_COLUMNS = {
    "name": "name",
    "issuer": "issuer",
    "inception_date": "inceptionDate",
    "last_price": "lastPrice",
    "last_price_date": "lastPriceDate",
    "exchange": "exchange",
    "currency": "currency",
    "asset_class": "assetClass",
    "sector": "sector",
    "geography": "geography",
    "investment_style": "investmentStyle",
    "expense_ratio": "expenseRatio",
    "assets_under_management": "assetsUnderManagement",
    "category": "category",
    "benchmark_index": "benchmarkIndex",
    "status": "status",
    "source": "source",
}


@dataclass(frozen=True, slots=True)
class FundImport:
    """What an import did, or would do, in funds and in statements about them."""

    funds: Mapping[Literal["inserted", "updated", "unchanged", "left_alone"], int]
    statements: Mapping[Literal["inserted", "updated", "unchanged"], int]
    warnings: tuple[str, ...]
    dry_run: bool


class _NotToBeKeptError(Exception):
    """Takes the transaction of a dry run back."""


async def import_funds(
    db: Database, file: FundFile, *, dry_run: bool = False, leave_known: bool = False
) -> FundImport:
    """Store what a file says about funds.

    Figures become statements of their day (`etf_facts`); the newest of all, the stored ones among
    them, are those of `etf_info`. An empty cell says nothing, and changes nothing.

    Parameters
    ----------
    db : Database
    file : FundFile
    dry_run : bool
        Do everything, and take it back.
    leave_known : bool
        Leave funds alone that are stored already, with all their statements.

    Raises
    ------
    FundFileError
        A new fund has no name, or rows contradict each other or what is stored about the life of
        a fund; nothing was stored.
    """
    ordered = sorted(file.rows, key=attrgetter("symbol"))
    by_symbol = {symbol: list(rows) for symbol, rows in groupby(ordered, attrgetter("symbol"))}
    report: FundImport | None = None
    try:
        async with db.tx(max_wait=STORE_WITHIN, timeout=STORE_WITHIN) as transaction:
            await transaction.etfinfo.find_first()  # a missing table is told as such, unlike in SQL
            await transaction.execute_raw(_ONE_AT_A_TIME)
            report = await _store(transaction, file, by_symbol, dry_run, leave_known)
            if dry_run:
                _take_back()
    except _NotToBeKeptError:
        pass
    assert report is not None  # noqa: S101  # every other way out is an error
    return report


def _take_back() -> None:
    raise _NotToBeKeptError


async def _store(
    db: Prisma,
    file: FundFile,
    by_symbol: Mapping[str, Sequence[FundRow]],
    dry_run: bool,
    leave_known: bool,
) -> FundImport:
    symbols = list(by_symbol)
    known = {
        fund.symbol: fund for fund in await db.etfinfo.find_many(where={"symbol": {"in": symbols}})
    }
    left = set(known) if leave_known else set()
    changes = [
        fund_change(rows, known.get(symbol))
        for symbol, rows in by_symbol.items()
        if symbol not in left
    ]
    problems = [problem for change in changes for problem in change.problems]
    if problems:
        raise FundFileError(file.path, problems=sorted(problems, key=attrgetter("row")))
    before = await _stored_facts(db, symbols)
    await _store_identities(db, changes, known)
    statements, touched = await _store_statements(db, changes, before, file.path.name[:255])
    inserted = sum(change.symbol not in known for change in changes)
    updated = sum(
        change.symbol in known
        and bool(change.identity or change.delisted_date or change.symbol in touched)
        for change in changes
    )
    return FundImport(
        {
            "inserted": inserted,
            "updated": updated,
            "unchanged": len(changes) - inserted - updated,
            "left_alone": len(left),
        },
        statements,
        file.warnings,
        dry_run,
    )


async def _stored_facts(db: Prisma, symbols: list[str]) -> Stored:
    rows = await db.etffacts.find_many(where={"symbol": {"in": symbols}})
    return {(row.symbol, row.validFrom.date()): row for row in rows}


async def _store_identities(
    db: Prisma, changes: Sequence[FundChange], known: Mapping[str, ETFInfo]
) -> None:
    new = [
        cast("ETFInfoCreateWithoutRelationsInput", {"symbol": c.symbol, **_data(c.identity)})
        for c in changes
        if c.symbol not in known
    ]
    if new:
        await db.etfinfo.create_many(new)
    for change in changes:
        data = _data(change.identity)
        if change.symbol not in known or not (data or change.delisted_date):
            continue
        if change.delisted_date is not None:  # the trigger withdraws what was said of another end
            data |= {"status": ETFStatus.delisted, "delistedDate": _moment(change.delisted_date)}
        await db.etfinfo.update(
            where={"symbol": change.symbol}, data=cast("ETFInfoUpdateInput", data)
        )


async def _store_statements(
    db: Prisma, changes: Sequence[FundChange], before: Stored, source: str
) -> tuple[dict[Literal["inserted", "updated", "unchanged"], int], set[str]]:
    """Write what differs; how many were what, and whose they were."""
    counts: dict[Literal["inserted", "updated", "unchanged"], int] = dict.fromkeys(
        ("inserted", "updated", "unchanged"), 0
    )
    touched: set[str] = set()
    new: list[ETFFactsCreateWithoutRelationsInput] = []
    now = await _stored_facts(db, [change.symbol for change in changes])
    for change in changes:
        for day, said in change.statements.items():
            key = change.symbol, day
            differs = changed_facts(said, now.get(key), source=source)
            if key not in before:
                counts["inserted"] += 1
            elif changed_facts(said, before[key], source=source):
                counts["updated"] += 1
            else:
                counts["unchanged"] += 1
                continue
            touched.add(change.symbol)
            if key not in now:
                row = {"symbol": change.symbol, "validFrom": _moment(day), **_data(differs or {})}
                new.append(cast("ETFFactsCreateWithoutRelationsInput", row))
            elif differs:
                await db.etffacts.update(
                    where={
                        "symbol_validFrom": {"symbol": change.symbol, "validFrom": _moment(day)}
                    },
                    data=cast("ETFFactsUpdateInput", _data(differs)),
                )
    if new:
        await db.etffacts.create_many(new)
    return counts, touched


def _data(values: Statement) -> dict[str, object]:
    """Values by the client's names of their columns."""
    return {_COLUMNS[name]: _for_client(name, value) for name, value in values.items()}


def _for_client(name: str, value: Value) -> str | Decimal | dt.datetime | ETFStatus:
    if isinstance(value, dt.date):
        return _moment(value)
    return ETFStatus(value) if name == "status" and isinstance(value, str) else value


def _moment(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(tzinfo=dt.UTC))
