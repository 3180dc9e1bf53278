"""A valid row for every table, as SQL expressions, and how to insert it with something changed."""

from __future__ import annotations

from typing import Final, TypeAlias

import asyncpg

# generic for type checkers only
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

USER: Final = "'00000000-0000-4000-8000-000000000001'"
PORTFOLIO: Final = "'00000000-0000-4000-8000-000000000002'"
STRATEGY: Final = "'00000000-0000-4000-8000-000000000003'"
BACKTEST: Final = "'00000000-0000-4000-8000-000000000004'"

# what a row needs, in an order in which foreign keys are there when they are needed
VALID: Final[dict[str, dict[str, str]]] = {
    "users": {"id": USER, "email": "'Ada@example.org'", "password_hash": "'hash'"},
    "portfolios": {"id": PORTFOLIO, "user_id": USER, "name": "'core'"},
    "portfolio_holdings": {"portfolio_id": PORTFOLIO, "symbol": "'SPY'", "allocation": "0.6"},
    "strategies": {"id": STRATEGY, "user_id": USER, "name": "'hold'", "type": "'buy_and_hold'"},
    "backtests": {
        "id": BACKTEST,
        "user_id": USER,
        "portfolio_id": PORTFOLIO,
        "strategy_id": STRATEGY,
        "name": "'first'",
        "start_date": "'2014-01-02'",
        "end_date": "'2022-12-28'",
        "initial_capital": "10000",
    },
    "performance_metrics": {
        "backtest_id": BACKTEST,
        "window_start": "'2014-01-02'",
        "window_end": "'2022-12-28'",
        "sessions": "2262",
    },
    "market_data": {
        "symbol": "'SPY'",
        "date": "'2022-12-28'",
        "close": "376.66",
        "source": "'test'",
    },
    "etf_info": {"symbol": "'SPY'", "name": "'SPDR S&P 500 ETF Trust'"},
}
TABLES: Final = tuple(VALID)


def statement(table: str, **changes: str) -> str:
    """INSERT of the valid row of `table`, with columns set to other SQL expressions."""
    row = VALID[table] | changes
    columns = ", ".join(f'"{name}"' for name in row)
    return f'INSERT INTO "{table}" ({columns}) VALUES ({", ".join(row.values())})'


async def insert(connection: Connection, table: str, **changes: str) -> None:
    """Insert the valid row of `table` with changes."""
    await connection.execute(statement(table, **changes))


async def insert_one_of_each(connection: Connection, *, before: str | None = None) -> None:
    """Insert the valid row of every table, or of those in the list before a table."""
    for table in TABLES if before is None else TABLES[: TABLES.index(before)]:
        await insert(connection, table)
