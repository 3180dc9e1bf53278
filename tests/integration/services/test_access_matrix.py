"""Who may do what with what: one table, gone through by the library and by the command line.

The outcomes are written by hand from the rules: owners all of theirs; everybody the public
portfolios of active users and the strategies of the system; a backtest of somebody else's only
where it is shared and its portfolio public; nobody anything else. The table also stands in
docs/sharing.md, and is compared with it.

yes       it is done
-         it is not in that list
absent    there is no such thing: the very words that are said of what does not exist
copy it   it may be seen, not run: the error says how to copy it
private   not while its portfolio is private
system's  it belongs to the system
in use    not while backtests were run with it
ended     it is completed: too late to cancel it, and nothing to try again
nobody    there is no such (active) user
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

import asyncpg

from etf_backtest.database.connection import Database, connect
from etf_backtest.database.models import StrategyType
from etf_backtest.database.price_store import store_bars
from etf_backtest.errors import EtfBacktestError
from etf_backtest.market.bar import Bar
from etf_backtest.services.attribution import attribute
from etf_backtest.services.backtest import run_backtest
from etf_backtest.services.portfolios import (
    create_portfolio,
    delete_portfolio,
    find_portfolio,
    list_portfolios,
)
from etf_backtest.services.progress import progress_of
from etf_backtest.services.sharing import (
    copy_portfolio,
    share_backtest,
    share_portfolio,
    unshare_backtest,
    unshare_portfolio,
)
from etf_backtest.services.stored_backtests import delete_backtest, find_backtest, list_backtests
from etf_backtest.services.strategies import (
    create_strategy,
    delete_strategy,
    find_strategy,
    list_strategies,
)
from etf_backtest.services.submission import cancel_backtest, retry_backtest, submit_backtest
from etf_backtest.services.verification import verify_backtest
from etf_backtest.settings import Settings
from tests.acceptance.cli.conftest import one_connection, run_here
from tests.fixtures.environment import REPOSITORY
from tests.integration.services.conftest import HALF

MATRIX: Final = """
| portfolio | who | show | list | list --public | share | unshare | run | submit | copy | delete |
|---|---|---|---|---|---|---|---|---|---|---|
| private | owner | yes | yes | - | yes | yes | yes | yes | yes | yes |
| private | other | absent | - | - | absent | absent | absent | absent | absent | absent |
| private | local | absent | - | - | absent | absent | absent | absent | absent | absent |
| private | inactive | nobody | nobody | nobody | nobody | nobody | nobody | nobody | nobody | nobody |
| private | unknown | nobody | nobody | nobody | nobody | nobody | nobody | nobody | nobody | nobody |
| public | owner | yes | yes | yes | yes | yes | yes | yes | yes | yes |
| public | other | yes | - | yes | absent | absent | copy it | copy it | yes | absent |
| public | local | yes | - | yes | absent | absent | copy it | copy it | yes | absent |
| public, owner inactive | other | absent | - | - | absent | absent | absent | absent | absent | absent |
| public, owner inactive | local | absent | - | - | absent | absent | absent | absent | absent | absent |
| no such | other | absent | - | - | absent | absent | absent | absent | absent | absent |

| strategy | who | show | list | run | delete |
|---|---|---|---|---|---|
| own | owner | yes | yes | yes | yes |
| own | other | absent | - | absent | absent |
| own | local | absent | - | absent | absent |
| own | inactive | nobody | nobody | nobody | nobody |
| own | unknown | nobody | nobody | nobody | nobody |
| own, with backtests | owner | yes | yes | yes | in use |
| own, with backtests | other | absent | - | absent | absent |
| system's | owner | yes | yes | yes | system's |
| system's | local | yes | yes | yes | system's |
| no such | other | absent | - | absent | absent |

| backtest | who | show | list | list --shared | share | unshare | verify | diff | watch | cancel | retry | delete |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
| private, of a private portfolio | owner | yes | yes | - | private | yes | yes | yes | yes | ended | ended | yes |
| private, of a private portfolio | other | absent | - | - | absent | absent | absent | absent | absent | absent | absent | absent |
| private, of a public portfolio | owner | yes | yes | - | yes | yes | yes | yes | yes | ended | ended | yes |
| private, of a public portfolio | other | absent | - | - | absent | absent | absent | absent | absent | absent | absent | absent |
| private, of a public portfolio | local | absent | - | - | absent | absent | absent | absent | absent | absent | absent | absent |
| shared, of a public portfolio | owner | yes | yes | yes | yes | yes | yes | yes | yes | ended | ended | yes |
| shared, of a public portfolio | other | yes | - | yes | absent | absent | yes | yes | absent | absent | absent | absent |
| shared, of a public portfolio | local | yes | - | yes | absent | absent | yes | yes | absent | absent | absent | absent |
| shared, of a public portfolio | inactive | nobody | nobody | nobody | nobody | nobody | nobody | nobody | nobody | nobody | nobody | nobody |
| shared, of a public portfolio | unknown | nobody | nobody | nobody | nobody | nobody | nobody | nobody | nobody | nobody | nobody | nobody |
| shared, of a private portfolio | owner | yes | yes | - | private | yes | yes | yes | yes | ended | ended | yes |
| shared, of a private portfolio | other | absent | - | - | absent | absent | absent | absent | absent | absent | absent | absent |
| shared, of a private portfolio | local | absent | - | - | absent | absent | absent | absent | absent | absent | absent | absent |
| shared, owner inactive | other | absent | - | - | absent | absent | absent | absent | absent | absent | absent | absent |
| shared, owner inactive | local | absent | - | - | absent | absent | absent | absent | absent | absent | absent | absent |
| no such | other | absent | - | - | absent | absent | absent | absent | absent | absent | absent | absent |
"""  # noqa: E501  # a table

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
WHO: Final = {
    "owner": "ann@example.org",
    "other": "bob@example.org",
    "local": None,
    "inactive": "ian@example.org",
    "unknown": "nobody@example.org",
}
REFUSALS: Final = {
    "copy it": "copy it and run the copy: etf-backtest portfolio copy",
    "private": "share the portfolio first: etf-backtest portfolio share",
    "system's": "is a strategy of the system and cannot be deleted",
    "ended": " is completed: only one that ",
    "in use": "delete those first (etf-backtest backtest delete ID)",
}
CHANGES: Final = frozenset({"share", "unshare", "run", "submit", "copy", "delete"})


class Cell(NamedTuple):
    """One thing that somebody wants with something, and what comes of it."""

    kind: str
    thing: str
    who: str
    action: str
    expected: str


def cells(table: str) -> Iterator[Cell]:
    """Every cell of tables in Markdown: the first row of each has the kind and the actions."""
    for block in table.strip().split("\n\n"):
        head, _, *rows = (
            [c.strip() for c in line.strip("| ").split("|")] for line in block.splitlines()
        )
        for thing, who, *outcomes in rows:
            for action, expected in zip(head[2:], outcomes, strict=True):
                yield Cell(head[0], thing, who, action, expected)


CELLS: Final = tuple(cells(MATRIX))
LISTS: Final = {"list", "list --public", "list --shared"}


def test_the_table_is_the_one_of_the_documentation() -> None:
    told = (REPOSITORY / "docs" / "sharing.md").read_text(encoding="utf-8")
    assert MATRIX in told


Ids = dict[tuple[str, str], str]
TABLES: Final = (
    *("portfolios", "portfolio_holdings", "strategies", "backtests", "performance_metrics"),
)


class World:
    """The things of the table, and how to have them again after one was changed."""

    def __init__(self, db: Database, ids: Ids) -> None:
        self.db = db
        self.ids = ids

    def id_of(self, cell: Cell) -> str:
        return self.ids.get((cell.kind, cell.thing), UNKNOWN_ID)

    async def keep(self) -> None:
        await self._execute(f"CREATE TABLE kept_{t} AS TABLE {t}" for t in TABLES)

    async def restore(self) -> None:
        await self._execute(
            [
                *("DELETE FROM backtests", "DELETE FROM strategies", "DELETE FROM portfolios"),
                *(f"INSERT INTO {table} SELECT * FROM kept_{table}" for table in TABLES),
            ]
        )

    async def _execute(self, statements: Iterable[str]) -> None:
        client = await asyncpg.connect(self.db.url.render())
        try:
            await client.execute(";".join(statements))
        finally:
            await client.close()


async def world(db: Database) -> World:
    """Ann's things and Ian's, and a portfolio of everybody's own to run strategies on."""
    for email, name in (("ann", "Ann"), ("bob", "Bob"), ("ian", "Ian")):
        await db.user.create(
            data={"email": f"{email}@example.org", "passwordHash": "!", "firstName": name}
        )
    for symbol in ("AAA", "BBB"):
        days = [date(2024, 1, day) for day in (2, 3, 4, 5, 8)]
        bars = [Bar(symbol, day, adjusted_close=Decimal(9 + n)) for n, day in enumerate(days)]
        await store_bars(db.url, bars, source="test")
    await db.strategy.create(
        data={"name": "buy-and-hold", "type": StrategyType.buy_and_hold, "isSystem": True}
    )
    ids: Ids = {}
    ann, ian = WHO["owner"], WHO["inactive"]
    for user in (ann, WHO["other"], None):
        await create_portfolio(db, name="mine", allocations=HALF, user=user)
    for user, name, shown in (
        (ann, "private", False),
        (ann, "public", True),
        (ian, "public, owner inactive", True),
    ):
        row = await create_portfolio(db, name=name, allocations=HALF, user=user)
        ids["portfolio", name] = row.id
        await db.portfolio.update(where={"id": row.id}, data={"isPublic": shown})
    for name in ("own", "own, with backtests"):
        made = await create_strategy(db, name=name, kind="buy-and-hold", user=ann)
        ids["strategy", name] = made.id
    (system,) = [row for row in await list_strategies(db) if row.isSystem]
    ids["strategy", "system's"] = system.id
    for user, portfolio, strategy, shared, name in (
        (ann, "private", "buy-and-hold", False, "private, of a private portfolio"),
        (ann, "public", "own, with backtests", False, "private, of a public portfolio"),
        (ann, "public", "buy-and-hold", True, "shared, of a public portfolio"),
        (ann, "private", "buy-and-hold", True, "shared, of a private portfolio"),
        (ian, "public, owner inactive", "buy-and-hold", True, "shared, owner inactive"),
    ):
        done = await run_backtest(db, portfolio=portfolio, strategy=strategy, user=user)
        ids["backtest", name] = done.backtest.id
        await db.backtest.update(where={"id": done.backtest.id}, data={"isShared": shared})
    await db.user.update(where={"email": "ian@example.org"}, data={"isActive": False})
    made_world = World(db, ids)
    await made_world.keep()
    return made_world


def outcome_of(cell: Cell, thing_id: str, said: str) -> str:
    """The outcome that a message and its remedy stand for; what is absent has but one message."""
    kind = cell.kind
    if said == f"there is no active user '{WHO[cell.who]}' -> see etf-backtest user list":
        return "nobody"
    if said == f"there is no {kind} '{thing_id}' -> see etf-backtest {kind} list":
        return "absent"
    return next((name for name, words in REFUSALS.items() if words in said), said)


# --- through the library


async def do(db: Database, cell: Cell, thing_id: str) -> str:
    """What comes of a cell where it is called."""
    user = WHO[cell.who]
    try:
        if cell.action in LISTS:
            return "yes" if thing_id in await _listed(db, cell, user) else "-"
        await CALLS[cell.kind, cell.action](db, thing_id, user)
    except EtfBacktestError as error:
        return outcome_of(cell, thing_id, f"{error.message} -> {error.remedy}")
    return "yes"


async def _listed(db: Database, cell: Cell, user: str | None) -> set[str]:
    match cell.kind, cell.action:
        case "portfolio", action:
            found = await list_portfolios(db, public=action != "list", user=user)
            return {row.id for row in found}
        case "strategy", _:
            return {row.id for row in await list_strategies(db, user=user)}
        case _, action:
            rows = await list_backtests(db, shared=action != "list", user=user)
            return {row.id for row in rows}


Call = Callable[[Database, str, str | None], Awaitable[object]]
CALLS: Final[dict[tuple[str, str], Call]] = {
    ("portfolio", "show"): lambda db, it, user: find_portfolio(db, it, to="see", user=user),
    ("portfolio", "share"): lambda db, it, user: share_portfolio(db, it, user=user),
    ("portfolio", "unshare"): lambda db, it, user: unshare_portfolio(db, it, user=user),
    ("portfolio", "run"): lambda db, it, user: run_backtest(
        db, portfolio=it, strategy="buy-and-hold", user=user
    ),
    ("portfolio", "submit"): lambda db, it, user: submit_backtest(
        db, portfolio=it, strategy="buy-and-hold", user=user
    ),
    ("portfolio", "copy"): lambda db, it, user: copy_portfolio(db, it, name="copy", user=user),
    ("portfolio", "delete"): lambda db, it, user: delete_portfolio(db, it, user=user),
    ("strategy", "show"): lambda db, it, user: find_strategy(db, it, to="see", user=user),
    ("strategy", "run"): lambda db, it, user: run_backtest(
        db, portfolio="mine", strategy=it, user=user
    ),
    ("strategy", "delete"): lambda db, it, user: delete_strategy(db, it, user=user),
    ("backtest", "show"): lambda db, it, user: find_backtest(db, it, to="see", user=user),
    ("backtest", "share"): lambda db, it, user: share_backtest(db, it, user=user),
    ("backtest", "unshare"): lambda db, it, user: unshare_backtest(db, it, user=user),
    ("backtest", "verify"): lambda db, it, user: verify_backtest(db, it, user=user),
    ("backtest", "diff"): lambda db, it, user: attribute(db, it, user=user),
    ("backtest", "watch"): lambda db, it, user: progress_of(db, [it], user=user),
    ("backtest", "cancel"): lambda db, it, user: cancel_backtest(db, it, user=user),
    ("backtest", "retry"): lambda db, it, user: retry_backtest(db, it, user=user),
    ("backtest", "delete"): lambda db, it, user: delete_backtest(db, it, user=user),
}


async def test_the_matrix_through_the_library(settings: Settings) -> None:
    wrong = []
    async with connect(settings) as db:
        things = await world(db)
        for cell in CELLS:
            outcome = await do(db, cell, things.id_of(cell))
            if outcome != cell.expected:
                wrong.append((cell, outcome))
            if outcome == "yes" and cell.action in CHANGES:
                await things.restore()
    assert wrong == []
    assert len(CELLS) == 11 * 9 + 10 * 4 + 16 * 11


# --- through the command line

TYPED: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("portfolio", "run"): ("backtest", "run", "-p", "ID", "-s", "buy-and-hold"),
    ("portfolio", "submit"): ("backtest", "submit", "-p", "ID", "-s", "buy-and-hold"),
    ("portfolio", "copy"): ("portfolio", "copy", "ID", "--name", "copy"),
    ("strategy", "run"): ("backtest", "run", "-p", "mine", "-s", "ID"),
}
"""All others are `KIND ACTION ID`."""


def typed(cell: Cell, thing_id: str) -> tuple[str, ...]:
    """What somebody types."""
    user = WHO[cell.who]
    who = () if user is None else ("--user", user)
    if cell.action in LISTS:
        return (cell.kind, *cell.action.split(), "--json", *who)
    words = TYPED.get((cell.kind, cell.action), (cell.kind, cell.action, "ID"))
    yes = ("--yes",) if cell.action == "delete" else ()
    return (*(thing_id if word == "ID" else word for word in words), *yes, *who)


def type_it(cell: Cell, thing_id: str, listings: dict[tuple[str, ...], str]) -> str:
    """What comes of a cell where it is typed, from the exit code and what stands on stderr."""
    words = typed(cell, thing_id)
    if cell.expected in ("yes", "-"):
        if cell.action not in LISTS:
            run_here(*words)
            return "yes"
        if words not in listings:
            listings[words] = run_here(*words).out
        return "yes" if thing_id in listings[words] else "-"
    said = run_here(*words, code=1).err
    return outcome_of(cell, thing_id, said.removeprefix("error: ").removesuffix("\n"))


def test_the_matrix_through_the_command_line(settings: Settings) -> None:
    wrong, listings = [], dict[tuple[str, ...], str]()
    with one_connection(settings) as (db, runner):
        things = runner.run(world(db))
        for cell in CELLS:
            outcome = type_it(cell, things.id_of(cell), listings)
            if outcome != cell.expected:
                wrong.append((cell, outcome))
            if outcome == "yes" and cell.action in CHANGES:
                runner.run(things.restore())
    assert wrong == []
