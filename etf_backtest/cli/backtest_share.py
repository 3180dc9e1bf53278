"""`etf-backtest backtest share|unshare|delete`: who may see a backtest, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from etf_backtest.cli import console
from etf_backtest.cli.backtest_data import as_data
from etf_backtest.cli.options import JSON, YES, confirm
from etf_backtest.cli.session import with_database

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import Backtest
    from etf_backtest.database.summaries import BacktestSummary

ID = Annotated[str, typer.Argument(metavar="ID", help="The id, or the first characters of it.")]
SHARED = Annotated[
    bool, typer.Option("--shared", help="Those that people share, whosever they are.")
]


def share(backtest_id: ID, json: JSON = False) -> None:
    """Let everybody see a backtest, compute it again and compare with it.

    It shows what the portfolio held and what the strategy was, with all its parameters.
    The portfolio has to be shared first.
    """
    from etf_backtest.services.sharing import share_backtest

    row = with_database(lambda db: share_backtest(db, backtest_id))
    if json:
        console.show_json(as_data(row))
        return
    console.narrate(
        f"everybody may see {row.name}: its results, the holdings of its portfolio, and its "
        "strategy with all parameters"
    )
    console.show_line(row.id)


def unshare(backtest_id: ID, json: JSON = False) -> None:
    """Hide a backtest from others again."""
    from etf_backtest.services.sharing import unshare_backtest

    row = with_database(lambda db: unshare_backtest(db, backtest_id))
    if json:
        console.show_json(as_data(row))
    else:
        console.narrate(f"nobody else sees {row.name} any more")


def delete(backtest_id: ID, yes: YES = False, json: JSON = False) -> None:
    """Delete a backtest of yours with its results; it asks before it does."""
    from etf_backtest.services.stored_backtests import delete_backtest, find_backtest

    row = with_database(lambda db: find_backtest(db, backtest_id))
    confirm(f"delete the backtest {row.name} ({row.id[:8]}, {row.status})?", yes=yes)
    with_database(lambda db: delete_backtest(db, row.id))
    if json:
        console.show_json({"id": row.id, "name": row.name})
    else:
        console.narrate(f"deleted {row.name}")


async def listed(
    db: Database, *, status: str | None, shared: bool, limit: int
) -> tuple[list[BacktestSummary], Mapping[str, str], Mapping[str, str | None]]:
    """Backtests, the days on which some were ruined, and whose they are."""
    from etf_backtest.services.owners import owners_of
    from etf_backtest.services.stored_backtests import list_backtests, ruined_on

    rows = await list_backtests(db, status=status, shared=shared, limit=limit)
    return rows, await ruined_on(db, rows), await owners_of(db, rows)


async def visible(db: Database, backtest_id: str) -> tuple[Backtest, str | None]:
    """A backtest of the user's, or one that somebody shares, and who that is."""
    from etf_backtest.services.owners import owners_of
    from etf_backtest.services.stored_backtests import find_backtest

    row = await find_backtest(db, backtest_id, to="see")
    return row, (await owners_of(db, [row]))[row.userId]
