"""What is known about funds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypeVar

from etf_backtest.errors import UnknownCategoryError
from etf_backtest.services.etf_facts import FundFacts, Stated, facts_of, fund_with_facts

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import ETFInfo, ETFProxy

T = TypeVar("T")
Life = Literal["alive", "delisted", "not yet", "unknown"]


@dataclass(frozen=True, slots=True)
class Fund:
    """A fund and what was true of it on a day."""

    info: ETFInfo
    facts: FundFacts

    @property
    def life(self) -> Life:
        """Whether it was traded on the day of its facts.

        It was from its inception until before the day of its delisting; "unknown" where it was not
        delisted by then and its inception is not known.
        """
        day, start, end = self.facts.date, self.info.inceptionDate, self.info.delistedDate
        if end is not None and end.date() <= day:
            return "delisted"
        if start is None:
            return "unknown"
        return "alive" if start.date() <= day else "not yet"


@dataclass(frozen=True, slots=True)
class FundList:
    """Funds by symbol, and how many were left out because a figure is not known.

    Attributes
    ----------
    date : date
        The day of the facts.
    funds : tuple of Fund
    unknown : mapping of str to int
        By figure ("expense_ratio", "assets_under_management", "category", "inception_date"): funds
        that every filter before would have taken, and of which this figure is not known.
    """

    date: dt.date
    funds: tuple[Fund, ...]
    unknown: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class StoredPrices:
    """The prices of a symbol that are stored; the last close is None where no row has one."""

    first: dt.date
    last: dt.date
    sessions: int
    last_close: Decimal | None
    last_close_date: dt.date | None


@dataclass(frozen=True, slots=True)
class FundDetails:
    """All that is known about a fund; its statements, oldest first, are in `fund.info.facts`."""

    fund: Fund
    prices: StoredPrices | None
    proxy: ETFProxy | None


def today() -> dt.date:
    """The day on which facts hold where none is asked for, in UTC."""
    return dt.datetime.now(dt.UTC).date()


async def list_etfs(
    db: Database,
    *,
    category: str | None = None,
    sector: str | None = None,
    max_expense: Decimal | None = None,
    min_assets: Decimal | None = None,
    alive_on: dt.date | None = None,
    status: Literal["active", "delisted"] | None = None,
) -> FundList:
    """The funds that every filter takes (all where None), by symbol.

    A fund of which a filter's figure is not known is left out and counted.

    Parameters
    ----------
    category, sector : str, optional
        Their case does not matter. The category is that of the day; a sector has no dates.
    max_expense : Decimal, optional
        The highest expense ratio, a fraction per year.
    min_assets : Decimal, optional
        The lowest assets under management, each fund's in its own currency.
    alive_on : date, optional
        Only funds that were traded on that day, with the facts of that day; otherwise those of
        today, delisted funds among them.
    status : {"active", "delisted"}, optional
        Whether a fund's end has come by today: with `alive_on`, "delisted" gives the funds of that
        day that have ended since.

    Raises
    ------
    UnknownCategoryError
        No fund is, or ever was, of that category or sector.
    """
    day = alive_on or today()
    infos = await db.etfinfo.find_many(include={"facts": True}, order={"symbol": "asc"})
    if category is not None:
        _check_known("category", category, (f.category for i in infos for f in i.facts or ()))
    if sector is not None:
        _check_known("sector", sector, (info.sector for info in infos))
    funds = [Fund(info, facts_of(info.symbol, info.facts or (), day)) for info in infos]
    unknown: dict[str, int] = {}

    def keep(figure: str, takes: Callable[[Fund], bool | None]) -> None:
        answers = [(fund, takes(fund)) for fund in funds]
        funds[:] = [fund for fund, answer in answers if answer]
        missing = sum(answer is None for _, answer in answers)
        if missing:
            unknown[figure] = missing

    if alive_on is not None:
        keep("inception_date", lambda f: None if f.life == "unknown" else f.life == "alive")
    if status is not None:
        keep("status", lambda f: _has_ended(f.info) == (status == "delisted"))
    if sector is not None:
        keep("sector", lambda f: None if f.info.sector is None else _same(f.info.sector, sector))
    if category is not None:
        keep("category", lambda f: _compared(f.facts.category, lambda each: _same(each, category)))
    if max_expense is not None:
        keep(
            "expense_ratio",
            lambda f: _compared(f.facts.expense_ratio, lambda each: each <= max_expense),
        )
    if min_assets is not None:
        keep(
            "assets_under_management",
            lambda f: _compared(f.facts.assets_under_management, lambda each: each >= min_assets),
        )
    return FundList(day, tuple(funds), unknown)


async def find_etf(db: Database, symbol: str, *, on: dt.date | None = None) -> FundDetails:
    """All that is known about a fund, with its facts on a day (today where None).

    Raises
    ------
    NotFoundError
        Nothing is stored about it.
    """
    info = await fund_with_facts(db, symbol)
    return FundDetails(
        Fund(info, facts_of(info.symbol, info.facts or (), on or today())),
        await _stored_prices(db, info.symbol),
        await db.etfproxy.find_unique(where={"symbol": info.symbol}),
    )


async def _stored_prices(db: Database, symbol: str) -> StoredPrices | None:
    """Reads at the ends of the index on (symbol, date), rather than one of all prices."""
    first = await db.marketdata.find_first(where={"symbol": symbol}, order={"date": "asc"})
    last = await db.marketdata.find_first(where={"symbol": symbol}, order={"date": "desc"})
    if first is None or last is None:
        return None
    closed = await db.marketdata.find_first(
        where={"symbol": symbol, "NOT": [{"close": None}]}, order={"date": "desc"}
    )
    return StoredPrices(
        first.date.date(),
        last.date.date(),
        await db.marketdata.count(where={"symbol": symbol}),
        None if closed is None else closed.close,
        None if closed is None else closed.date.date(),
    )


def _has_ended(info: ETFInfo) -> bool:
    return info.delistedDate is not None and info.delistedDate.date() <= today()


def _compared(stated: Stated[T] | None, takes: Callable[[T], bool]) -> bool | None:
    """What a filter says of a fact; None where the fact is not known."""
    return None if stated is None else takes(stated.value)


def _same(value: str, wanted: str) -> bool:
    return value.casefold() == wanted.casefold()


def _check_known(kind: str, wanted: str, values: Iterable[str | None]) -> None:
    known = {value for value in values if value is not None}
    if wanted.casefold() not in {value.casefold() for value in known}:
        raise UnknownCategoryError(kind, wanted, known=sorted(known))
