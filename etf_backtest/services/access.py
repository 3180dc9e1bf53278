"""Who may see, change and run what: here it is decided, and nowhere else.

Each function gives the condition that rows of a kind fulfil for an actor; services put it into
every query by which somebody's request reaches a row. Where one statement of SQL has to find a row
and change it, its condition on `user_id` is that of "change". Owners see, change and run all of
theirs. All see the public portfolios of active users, and see and run the strategies of the system.
A backtest is visible to others when it is shared itself and its portfolio is public.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from etf_backtest.database.models import (
        Backtest,
        BacktestWhereInput,
        Portfolio,
        PortfolioWhereInput,
        StrategyWhereInput,
        UserWhereInput,
    )
    from etf_backtest.services.acting import Actor

Action: TypeAlias = Literal["see", "change", "run"]
"""What somebody wants with a row; deleting and sharing are changes."""

_ACTIVE: UserWhereInput = {"isActive": True}


def is_own(row: Portfolio | Backtest, actor: Actor) -> bool:
    """Whether a row that was found is the actor's: what is told beside it may be told, too."""
    return row.userId == actor.id


def public_portfolios() -> PortfolioWhereInput:
    """Those that anybody may see."""
    return {"isPublic": True, "user": {"is": _ACTIVE}}


def shared_backtests() -> BacktestWhereInput:
    """Those that anybody may see."""
    return {"isShared": True, "user": {"is": _ACTIVE}, "portfolio": {"is": public_portfolios()}}


def portfolios_to(action: Action, actor: Actor) -> PortfolioWhereInput:
    """The portfolios that the actor may see, change or run."""
    own: PortfolioWhereInput = {"userId": actor.id}
    return {"OR": [own, public_portfolios()]} if action == "see" else own


def strategies_to(action: Action, actor: Actor) -> StrategyWhereInput:
    """The strategies that the actor may see, change or run."""
    own: StrategyWhereInput = {"userId": actor.id}
    return own if action == "change" else {"OR": [{"isSystem": True}, own]}


def backtests_to(action: Action, actor: Actor) -> BacktestWhereInput:
    """The backtests that the actor may see, change, or run again."""
    own: BacktestWhereInput = {"userId": actor.id}
    return {"OR": [own, shared_backtests()]} if action == "see" else own
