"""How much a user may have, by tier: asked inside the transaction that inserts.

Whoever asks holds a lock on the user's row until that transaction ends. Concurrent calls for one
user therefore go one after the other, and each counts what the ones before it have stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etf_backtest.database.models import BacktestStatus
from etf_backtest.errors import LimitReachedError, NotFoundError
from etf_backtest.settings import Limits

if TYPE_CHECKING:
    from etf_backtest.database.models import BacktestWhereInput, Prisma
    from etf_backtest.services.acting import Actor
    from etf_backtest.settings import Settings, TierLimits

WAITING = (BacktestStatus.pending, BacktestStatus.running)
"""What counts as queued: it has not ended yet."""


async def room_for_portfolio(transaction: Prisma, actor: Actor, settings: Settings | None) -> None:
    """Say nothing where the user may have one more portfolio.

    Parameters
    ----------
    transaction : Prisma
        The one that inserts it, before any other query in it.
    actor : Actor
        The local user may have any number.
    settings : Settings or None
        With the limits; None for the standard ones.

    Raises
    ------
    LimitReachedError
        The tier allows no more.
    NotFoundError
        The user is gone, or not active any more.
    """
    if actor.is_local:
        return
    tier, limits = await _locked(transaction, actor, settings)
    if limits.portfolios is None:
        return
    count = await transaction.portfolio.count(where={"userId": actor.id})
    if count >= limits.portfolios:
        raise LimitReachedError(
            "portfolios",
            tier=tier,
            limit=limits.portfolios,
            count=count,
            room="delete one (etf-backtest portfolio delete NAME)",
        )


async def room_for_backtest(transaction: Prisma, actor: Actor, settings: Settings | None) -> None:
    """Say nothing where the user may have one more backtest pending or running.

    Parameters, and what is raised, are those of `room_for_portfolio`.

    Raises
    ------
    LimitReachedError
        The tier allows no more.
    NotFoundError
        The user is gone, or not active any more.
    """
    if actor.is_local:
        return
    tier, limits = await _locked(transaction, actor, settings)
    if limits.queued is None:
        return
    where: BacktestWhereInput = {"userId": actor.id, "OR": [{"status": each} for each in WAITING]}
    count = await transaction.backtest.count(where=where)
    if count >= limits.queued:
        raise LimitReachedError(
            "backtests pending or running",
            tier=tier,
            limit=limits.queued,
            count=count,
            room="wait until one has ended, cancel one (etf-backtest backtest cancel ID)",
        )


async def _locked(
    transaction: Prisma, actor: Actor, settings: Settings | None
) -> tuple[str, TierLimits]:
    """The user's tier of now with its limits; the user's row is locked from here on."""
    # a snapshot from before the lock would not show what was stored while it was waited for
    await transaction.execute_raw("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
    # not FOR UPDATE: that would hold up whoever inserts anything that refers to the user
    rows = await transaction.query_raw(
        "SELECT subscription_tier::text AS tier FROM users"
        " WHERE id = $1::uuid AND is_active FOR NO KEY UPDATE",
        actor.id,
    )
    if not rows:
        raise NotFoundError("active user", actor.email, known=(), command="user list")
    tier = str(rows[0]["tier"])
    limits = Limits() if settings is None else settings.limits
    return tier, limits.of(tier)
