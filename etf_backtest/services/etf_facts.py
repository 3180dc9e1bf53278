"""What was true of a fund on a day, as far as it was stated by then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Generic, TypeVar

from etf_backtest.errors import NotFoundError

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import ETFFacts, ETFInfo, ETFStatus

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stated(Generic[T]):
    """A fact, since when it holds, and who says so."""

    value: T
    valid_from: dt.date
    source: str | None


@dataclass(frozen=True, slots=True)
class FundFacts:
    """The facts of a fund on a day; None where nothing was stated by then.

    Attributes
    ----------
    symbol : str
    date : date
    expense_ratio : Stated of Decimal, or None
        A fraction per year.
    assets_under_management : Stated of Decimal, or None
        In the fund's currency.
    category, benchmark_index : Stated of str, or None
    status : Stated of ETFStatus, or None
    """

    symbol: str
    date: dt.date
    expense_ratio: Stated[Decimal] | None
    assets_under_management: Stated[Decimal] | None
    category: Stated[str] | None
    benchmark_index: Stated[str] | None
    status: Stated[ETFStatus] | None


async def facts_on(db: Database, symbol: str, date: dt.date) -> FundFacts:
    """What was true of a fund on a day: of each fact the last statement from that day or before.

    What was stated later is not looked at: a fund has no expense ratio before the first that is
    known, and today's is never taken for the past's.

    Parameters
    ----------
    db : Database
    symbol : str
        Its case does not matter.
    date : date

    Raises
    ------
    NotFoundError
        Nothing is stored about the fund.
    """
    fund = await fund_with_facts(db, symbol)
    return facts_of(fund.symbol, fund.facts or (), date)


async def fund_with_facts(db: Database, symbol: str) -> ETFInfo:
    """The fund with that symbol, and all its statements, oldest first, in `facts`.

    Raises
    ------
    NotFoundError
        Nothing is stored about it.
    """
    fund = await db.etfinfo.find_unique(
        where={"symbol": symbol.upper()}, include={"facts": {"order_by": {"validFrom": "asc"}}}
    )
    if fund is None:
        known = [etf.symbol for etf in await db.etfinfo.find_many(order={"symbol": "asc"})]
        raise NotFoundError("ETF", symbol.upper(), known=known, command="etf list")
    return fund


def facts_of(symbol: str, statements: Iterable[ETFFacts], date: dt.date) -> FundFacts:
    """The facts on a day among the statements about a fund, which may be in any order."""
    known = sorted(
        (each for each in statements if each.validFrom.date() <= date),
        key=lambda each: each.validFrom,
        reverse=True,
    )

    def last(fact: Callable[[ETFFacts], T | None]) -> Stated[T] | None:
        for each in known:
            value = fact(each)
            if value is not None:
                return Stated(value, each.validFrom.date(), each.source)
        return None

    return FundFacts(
        symbol,
        date,
        last(lambda each: each.expenseRatio),
        last(lambda each: each.assetsUnderManagement),
        last(lambda each: each.category),
        last(lambda each: each.benchmarkIndex),
        last(lambda each: each.status),
    )
