"""Show portfolios and backtests to others, hide them again, and copy what others show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etf_backtest.errors import NotFoundError, PrivatePortfolioError
from etf_backtest.services.acting import Who, acting_user
from etf_backtest.services.portfolios import create_portfolio, find_portfolio
from etf_backtest.services.stored_backtests import find_backtest

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import Backtest, BacktestWhereInput, Portfolio


async def share_portfolio(db: Database, name_or_id: str, *, user: Who = None) -> Portfolio:
    """Let everybody see a portfolio of the user's; its backtests only where they are shared, too.

    Raises
    ------
    NotFoundError
        The user has none of that name or id.
    """
    return await _publish(db, name_or_id, is_public=True, user=user)


async def unshare_portfolio(db: Database, name_or_id: str, *, user: Who = None) -> Portfolio:
    """Let nobody else see a portfolio of the user's any more, nor any of its backtests.

    Backtests that are shared themselves stay so: they are visible again when the portfolio is.

    Raises
    ------
    NotFoundError
        The user has none of that name or id.
    """
    return await _publish(db, name_or_id, is_public=False, user=user)


async def _publish(db: Database, name_or_id: str, *, is_public: bool, user: Who) -> Portfolio:
    actor = await acting_user(db, user)
    portfolio = await find_portfolio(db, name_or_id, to="change", user=actor)
    await db.portfolio.update_many(where={"id": portfolio.id}, data={"isPublic": is_public})
    return await find_portfolio(db, portfolio.id, to="change", user=actor)


async def copy_portfolio(
    db: Database, name_or_id: str, *, name: str | None = None, user: Who = None
) -> Portfolio:
    """Store a private copy of a portfolio that the user may see, with all but its backtests.

    Parameters
    ----------
    name_or_id : str
        The name of one of the user's own, or the id of any that is visible.
    name : str, optional
        Of the copy; by default that of the original.
    user : Actor or str, optional
        Whose the copy is: see `acting_user`.

    Raises
    ------
    NotFoundError
        There is none that the user may see.
    InvalidPortfolioError, NameTakenError, LimitReachedError
        The copy cannot be: see `create_portfolio`.
    """
    actor = await acting_user(db, user)
    original = await find_portfolio(db, name_or_id, to="see", user=actor)
    return await create_portfolio(
        db,
        name=original.name if name is None else name,
        allocations={h.symbol: h.allocation for h in original.holdings or []},
        initial_capital=original.initialCapital,
        description=original.description,
        currency=original.currency,
        user=actor,
    )


async def count_backtests(db: Database, portfolio: Portfolio, *, shared: bool = False) -> int:
    """How many backtests there are of a portfolio; only those that are shared where asked."""
    where: BacktestWhereInput = {"portfolioId": portfolio.id}
    if shared:
        where["isShared"] = True
    return await db.backtest.count(where=where)


async def share_backtest(db: Database, backtest_id: str, *, user: Who = None) -> Backtest:
    """Let everybody see a backtest of the user's, with what its portfolio and strategy were.

    Raises
    ------
    NotFoundError, AmbiguousIdError
        The user has none of that id, or more than one.
    PrivatePortfolioError
        Its portfolio is not shared.
    """
    actor = await acting_user(db, user)
    row = await find_backtest(db, backtest_id, to="change", user=actor)
    if row.portfolio is None or not row.portfolio.isPublic:
        raise PrivatePortfolioError(row.id, row.portfolio.name if row.portfolio else "")
    return await _show(db, row, is_shared=True)


async def unshare_backtest(db: Database, backtest_id: str, *, user: Who = None) -> Backtest:
    """Let nobody else see a backtest of the user's any more.

    Raises
    ------
    NotFoundError, AmbiguousIdError
        The user has none of that id, or more than one.
    """
    actor = await acting_user(db, user)
    row = await find_backtest(db, backtest_id, to="change", user=actor)
    return await _show(db, row, is_shared=False)


async def _show(db: Database, row: Backtest, *, is_shared: bool) -> Backtest:
    changed = await db.backtest.update(
        where={"id": row.id},
        data={"isShared": is_shared},
        include={"metrics": True, "portfolio": True, "strategy": True},
    )
    if changed is None:
        raise NotFoundError("backtest", row.id, known=(), command="backtest list")
    return changed
