"""Portfolios and their holdings."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from etf_backtest.database.models import UniqueViolationError
from etf_backtest.database.price_store import coverage
from etf_backtest.errors import (
    InvalidPortfolioError,
    NameTakenError,
    NotFoundError,
    OthersPortfolioError,
)
from etf_backtest.errors.wording import quoted, unseen
from etf_backtest.market.bar import is_symbol
from etf_backtest.services.access import Action, portfolios_to, public_portfolios
from etf_backtest.services.acting import Actor, Who, acting_user
from etf_backtest.services.limits import room_for_portfolio

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import Portfolio, PortfolioWhereInput

ALLOCATION_SCALE = Decimal("0.0001")
MONEY_LIMIT = Decimal(10) ** 10
LONGEST_DESCRIPTION = 10_000
STORE_WITHIN = dt.timedelta(minutes=1)
"""For the transaction that stores a portfolio: it waits for others of the same user's."""


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
    LimitReachedError
        The user has as many as the tier allows.
    """
    check_portfolio(
        name=name, allocations=allocations, initial_capital=initial_capital, currency=currency
    )
    check_description(description)
    actor = await acting_user(db, user)
    try:
        async with db.tx(max_wait=STORE_WITHIN, timeout=STORE_WITHIN) as transaction:
            await room_for_portfolio(transaction, actor, db.settings)
            return await transaction.portfolio.create(
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
            raise InvalidPortfolioError(f"{quoted(symbol)} is not a symbol")
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
            f"the currency is {quoted(currency)}", remedy="give its ISO code, such as USD"
        )


def check_name(name: str) -> None:
    """Raise InvalidPortfolioError unless `name` has 1 to 255 characters that can be seen."""
    if not name.strip() or len(name) > 255:
        raise InvalidPortfolioError(
            f"the name {name[:40]!r} cannot be used", remedy="give one of 1 to 255 characters"
        )
    if (character := unseen(name)) is not None:
        raise InvalidPortfolioError(
            f"the name {quoted(name)} has a character that nobody sees ({character})",
            remedy="give one without it",
        )


def check_description(text: str | None) -> None:
    """Raise InvalidPortfolioError unless `text` can be shown and has at most 10,000 characters."""
    if text is None:
        return
    if len(text) > LONGEST_DESCRIPTION:
        raise InvalidPortfolioError(
            f"the description has {len(text):,} characters",
            remedy=f"give one of at most {LONGEST_DESCRIPTION:,}",
        )
    if (character := unseen(text, lines=True)) is not None:
        raise InvalidPortfolioError(
            f"the description {quoted(text)} has a character that nobody sees ({character})",
            remedy="give one without it",
        )


def check_capital(amount: Decimal) -> None:
    """Raise InvalidPortfolioError unless `amount` is money that the database can hold."""
    if not (amount.is_finite() and 0 < amount < MONEY_LIMIT) or amount != round(amount, 2):
        raise InvalidPortfolioError(
            f"the capital is {amount}",
            remedy=f"give an amount above 0 and below {MONEY_LIMIT:,} with at most two decimals",
        )


async def find_portfolio(
    db: Database, name_or_id: str, *, to: Action = "change", user: Who = None
) -> Portfolio:
    """The portfolio of that name or id, with its holdings, if the user may do that with it.

    Parameters
    ----------
    name_or_id : str
        A name is one of the user's own; others' are found by id.
    to : "see", "change" or "run"
        By default only the user's own are found.
    user : Actor or str, optional
        See `acting_user`.

    Raises
    ------
    NotFoundError
        There is none, or the user may not see it; the message names the user's own.
    OthersPortfolioError
        To run: it is somebody else's, and public.
    """
    actor = await acting_user(db, user)
    portfolio = await _first(db, name_or_id, portfolios_to(to, actor), actor)
    if portfolio is not None:
        return portfolio
    if to == "run":
        visible = await _first(db, name_or_id, portfolios_to("see", actor), actor)
        if visible is not None:
            raise OthersPortfolioError(visible.name, visible.id)
    known = [p.name for p in await list_portfolios(db, user=actor)]
    raise NotFoundError("portfolio", name_or_id, known=known, command="portfolio list")


async def _first(
    db: Database, name_or_id: str, allowed: PortfolioWhereInput, actor: Actor
) -> Portfolio | None:
    if any(each == "\0" or "\ud800" <= each <= "\udfff" for each in name_or_id):
        return None  # no text that the database could have
    portfolio_id = parse_uuid(name_or_id)
    meant: PortfolioWhereInput = (
        {"id": portfolio_id}
        if portfolio_id
        else {"AND": [portfolios_to("change", actor), {"name": name_or_id}]}
    )
    return await db.portfolio.find_first(
        where={"AND": [allowed, meant]}, include={"holdings": {"order_by": {"symbol": "asc"}}}
    )


async def list_portfolios(
    db: Database, *, public: bool = False, limit: int | None = None, user: Who = None
) -> list[Portfolio]:
    """The user's portfolios with their holdings, by name; or all the public ones."""
    actor = await acting_user(db, user)
    return await db.portfolio.find_many(
        where=public_portfolios() if public else portfolios_to("change", actor),
        take=limit,
        include={"holdings": {"order_by": {"symbol": "asc"}}},
        order=[{"name": "asc"}, {"id": "asc"}],
    )


async def delete_portfolio(db: Database, name_or_id: str, *, user: Who = None) -> int:
    """Delete a portfolio of the user's with its backtests, and say how many those were.

    Raises
    ------
    NotFoundError
        The user has none of that name or id.
    """
    portfolio = await find_portfolio(db, name_or_id, to="change", user=user)
    async with db.tx(max_wait=STORE_WITHIN, timeout=STORE_WITHIN) as transaction:
        backtests = await transaction.backtest.delete_many(where={"portfolioId": portfolio.id})
        await transaction.portfolio.delete_many(where={"id": portfolio.id})
    return backtests
