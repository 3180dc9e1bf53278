"""Portfolios and their holdings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from etf_backtest.database.models import UniqueViolationError
from etf_backtest.database.price_store import coverage
from etf_backtest.errors import InvalidPortfolioError, NameTakenError, NotFoundError
from etf_backtest.market.bar import is_symbol
from etf_backtest.services.acting import Who, acting_user

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import Portfolio

ALLOCATION_SCALE = Decimal("0.0001")
MONEY_LIMIT = Decimal(10) ** 10


def parse_uuid(text: str) -> str | None:
    """The canonical form of `text` if it is a UUID, so that a name is never sent as one."""
    try:
        return str(UUID(text))
    except ValueError:
        return None


async def create_portfolio(
    db: Database,
    *,
    name: str,
    allocations: Mapping[str, Decimal],
    initial_capital: Decimal = Decimal(10_000),
    description: str | None = None,
    currency: str = "USD",
    user: Who = None,
) -> Portfolio:
    """Store a portfolio with its holdings, or nothing.

    Parameters
    ----------
    allocations : mapping of symbol to fraction
        Each above 0 and at most 1 with at most four decimals; their sum is at most 1, the rest is
        cash.
    initial_capital : Decimal
        In `currency`; above 0, below 10^10, at most two decimals.
    user : Actor or str, optional
        Whose it is: see `acting_user`.

    Raises
    ------
    InvalidPortfolioError
        Saying which value is wrong and what was expected.
    NameTakenError
        The user has a portfolio of that name.
    """
    check_portfolio(
        name=name, allocations=allocations, initial_capital=initial_capital, currency=currency
    )
    actor = await acting_user(db, user)
    try:
        return await db.portfolio.create(
            data={
                "userId": actor.id,
                "name": name,
                "description": description,
                "initialCapital": initial_capital,
                "currency": currency,
                "holdings": {
                    "create": [
                        {"symbol": symbol, "allocation": allocation}
                        for symbol, allocation in allocations.items()
                    ]
                },
            },
            include={"holdings": True},
        )
    except UniqueViolationError:
        raise NameTakenError("portfolio", name) from None


async def strange_symbols(db: Database, symbols: Iterable[str]) -> tuple[str, ...]:
    """Those of the symbols of which neither prices nor anything else is stored."""
    wanted = list(symbols)
    funds = await db.etfinfo.find_many(where={"symbol": {"in": wanted}})
    known = {fund.symbol for fund in funds} | {each.symbol for each in await coverage(db.url)}
    return tuple(symbol for symbol in wanted if symbol not in known)


def check_portfolio(
    *, name: str, allocations: Mapping[str, Decimal], initial_capital: Decimal, currency: str
) -> None:
    """Raise InvalidPortfolioError for the first value that the database would refuse."""
    check_name(name)
    if parse_uuid(name) is not None:
        raise InvalidPortfolioError(f"the name {name!r} looks like an id", remedy="use another")
    if not allocations:
        raise InvalidPortfolioError("no holdings", remedy="give at least one SYMBOL=FRACTION")
    for symbol, allocation in allocations.items():
        if not is_symbol(symbol):
            raise InvalidPortfolioError(f"{symbol!r} is not a symbol")
        if not (allocation.is_finite() and 0 < allocation <= 1):
            raise InvalidPortfolioError(
                f"the allocation of {symbol} is {allocation}",
                remedy="give a fraction above 0 and at most 1: 60 % is 0.6",
            )
        if allocation != allocation.quantize(ALLOCATION_SCALE):
            raise InvalidPortfolioError(
                f"the allocation of {symbol} is {allocation}",
                remedy="at most four decimals can be stored",
            )
    total = sum(allocations.values())
    if total > 1:
        raise InvalidPortfolioError(
            f"the allocations sum to {total}", remedy="make the sum 1 or less; the rest is cash"
        )
    check_capital(initial_capital)
    if re.fullmatch(r"[A-Z]{3}", currency) is None:
        raise InvalidPortfolioError(
            f"the currency is {currency!r}", remedy="give its ISO code, such as USD"
        )


def check_name(name: str) -> None:
    """Raise InvalidPortfolioError unless `name` has 1 to 255 characters that can be seen."""
    if not name.strip() or len(name) > 255:
        raise InvalidPortfolioError(
            f"the name {name[:40]!r} cannot be used", remedy="give one of 1 to 255 characters"
        )


def check_capital(amount: Decimal) -> None:
    """Raise InvalidPortfolioError unless `amount` is money that the database can hold."""
    if not (amount.is_finite() and 0 < amount < MONEY_LIMIT) or amount != round(amount, 2):
        raise InvalidPortfolioError(
            f"the capital is {amount}",
            remedy=f"give an amount above 0 and below {MONEY_LIMIT:,} with at most two decimals",
        )


async def find_portfolio(db: Database, name_or_id: str, *, user: Who = None) -> Portfolio:
    """The user's portfolio of that name or id, with its holdings.

    Raises
    ------
    NotFoundError
        There is none; the message names those that are there.
    """
    actor = await acting_user(db, user)
    portfolio_id = parse_uuid(name_or_id)
    portfolio = await db.portfolio.find_first(
        where={"userId": actor.id, "id": portfolio_id}
        if portfolio_id
        else {"userId": actor.id, "name": name_or_id},
        include={"holdings": {"order_by": {"symbol": "asc"}}},
    )
    if portfolio is None:
        known = [p.name for p in await list_portfolios(db, user=actor)]
        raise NotFoundError("portfolio", name_or_id, known=known, command="portfolio list")
    return portfolio


async def list_portfolios(db: Database, *, user: Who = None) -> list[Portfolio]:
    """The user's portfolios with their holdings, by name."""
    actor = await acting_user(db, user)
    return await db.portfolio.find_many(
        where={"userId": actor.id},
        include={"holdings": {"order_by": {"symbol": "asc"}}},
        order={"name": "asc"},
    )
