"""What is known about funds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etf_backtest.errors import NotFoundError

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import ETFInfo, ETFInfoWhereInput


async def list_etfs(
    db: Database, *, category: str | None = None, sector: str | None = None
) -> list[ETFInfo]:
    """The funds of a category and a sector (all where None), by symbol."""
    where: ETFInfoWhereInput = {}
    if category is not None:
        where["category"] = category
    if sector is not None:
        where["sector"] = sector
    return await db.etfinfo.find_many(where=where, order={"symbol": "asc"})


async def find_etf(db: Database, symbol: str) -> ETFInfo:
    """The fund with that symbol.

    Raises
    ------
    NotFoundError
        Nothing is stored about it.
    """
    fund = await db.etfinfo.find_unique(where={"symbol": symbol.upper()})
    if fund is None:
        known = [etf.symbol for etf in await list_etfs(db)]
        raise NotFoundError("ETF", symbol.upper(), known=known, command="etf list")
    return fund
