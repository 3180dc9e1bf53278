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
    "user_tokens": {
        "user_id": USER,
        "purpose": "'verify_email'",
        "email": "'Ada@example.org'",
        "expires_at": "'2100-01-01 00:00:00+00'",
    },
    "sign_in_throttles": {
        "subject": "sha256('ada@example.org')",
        "failures": "1",
        "blocked_until": "'2022-12-28 21:00:00+00'",
    },
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
    # before prices, whose triggers write into these, too
    "price_revisions": {"number": "1000", "known_at": "'2022-12-28 21:00:00+00'"},
    "price_series": {"symbol": "'SPY'", "revision": "1000"},
    "market_data": {
        "symbol": "'SPY'",
        "date": "'2022-12-28'",
        "close": "376.66",
        "source": "'test'",
    },
    "market_data_history": {
        "symbol": "'SPY'",
        "date": "'2022-12-28'",
        "close": "376.60",
        "source": "'test'",
        "valid_from": "1",
        "valid_to": "2",
    },
    "packed_prices": {
        "symbol": "'SPY'",
        "revision": "1000",
        "layout": "1",
        "sessions": "1",
        "dates": "'\\x00000001'",
        "closes": "'\\x4059000000000000'",
        "adjusted_closes": "'\\x7ff8000000000000'",
        "dividends": "''",
        "splits": "''",
        "split_adjusted": "'f'",
        "sources": """'[["2000-01-02", "test"]]'""",
    },
    "etf_info": {"symbol": "'SPY'", "name": "'SPDR S&P 500 ETF Trust'"},
    "etf_facts": {"symbol": "'SPY'", "valid_from": "'1993-01-22'", "expense_ratio": "0.002"},
    "etf_proxies": {
        "symbol": "'SPY'",
        "proxy_symbol": "'VFINX'",
        "splice_date": "'1993-01-29'",
        "overlap_start": "'1993-01-29'",
        "overlap_end": "'2022-12-28'",
        "overlap_sessions": "7534",
        "revision": "1000",
    },
}
TABLES: Final = tuple(VALID)
FIRST_RELEASE: Final = (
    "users",
    "portfolios",
    "portfolio_holdings",
    "strategies",
    "backtests",
    "performance_metrics",
    "market_data",
    "etf_info",
)
KEPT: Final = ("price_revisions", "market_data_history")
"""Tables of what was: triggers refuse to change them."""


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
