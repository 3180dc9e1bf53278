"""Whose things are, as others may read it: a name, never an e-mail address."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from etf_backtest.services.acting import Who, acting_user

if TYPE_CHECKING:
    from etf_backtest.database.connection import Database
    from etf_backtest.database.models import Backtest, Portfolio
    from etf_backtest.database.summaries import BacktestSummary

NAMELESS = "somebody"


async def owners_of(
    db: Database,
    rows: Iterable[Portfolio] | Iterable[Backtest] | Iterable[BacktestSummary],
    *,
    user: Who = None,
) -> dict[str, str | None]:
    """The owners of rows that the user may see, by their ids: first and last name.

    None stands for the user; an owner without a name is "somebody". Names are what people call
    themselves: nobody has looked whether they are theirs, or unlike somebody else's.
    """
    actor = await acting_user(db, user)
    others = {row.userId for row in rows} - {actor.id}
    owners: dict[str, str | None] = {actor.id: None}
    if others:
        # not the client's own query: that would read the password's hash, which not every role may
        found = await db.query_raw(
            "SELECT id::text, concat_ws(' ', nullif(trim(first_name), ''),"
            " nullif(trim(last_name), '')) AS name FROM users WHERE id IN"
            " (SELECT jsonb_array_elements_text($1::jsonb)::uuid)",
            json.dumps(sorted(others)),
        )
        owners |= {each["id"]: each["name"] or NAMELESS for each in found}
    return owners
