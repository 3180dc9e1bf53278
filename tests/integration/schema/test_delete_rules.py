"""What goes with a user, a portfolio, a backtest; and what must not go."""

from __future__ import annotations

import asyncpg
import pytest

from tests.integration.schema.rows import Connection, insert, insert_one_of_each

pytestmark = pytest.mark.each_postgres

OTHER_USER = "'00000000-0000-4000-8000-0000000000a1'"
OTHER_PORTFOLIO = "'00000000-0000-4000-8000-0000000000a2'"
OTHER_BACKTEST = "'00000000-0000-4000-8000-0000000000a4'"
OWNED = ("portfolios", "portfolio_holdings", "strategies", "backtests", "performance_metrics")


async def counts(connection: Connection, *tables: str) -> dict[str, int]:
    return {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in tables}


@pytest.fixture
async def filled(connection: Connection) -> Connection:
    """A row in every table, and a second user with a portfolio and a backtest of the same rule."""
    await insert_one_of_each(connection)
    await insert(connection, "users", id=OTHER_USER, email="'b@example.org'")
    await insert(connection, "portfolios", id=OTHER_PORTFOLIO, user_id=OTHER_USER)
    await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return connection


async def test_a_user_goes_with_all_that_is_theirs(filled: Connection) -> None:
    """Own strategies and own backtests of them go in one statement."""
    await filled.execute("DELETE FROM users WHERE email = 'Ada@example.org'")
    left = await counts(filled, "users", *OWNED)
    assert left == {
        "users": 1,
        "portfolios": 1,
        "portfolio_holdings": 0,
        "strategies": 0,
        "backtests": 0,
        "performance_metrics": 0,
    }
    assert await counts(filled, "market_data", "etf_info") == {"market_data": 1, "etf_info": 1}


async def test_a_user_whose_strategy_somebody_else_uses_stays(filled: Connection) -> None:
    await insert(
        *(filled, "backtests"),
        id=OTHER_BACKTEST,
        user_id=OTHER_USER,
        portfolio_id=OTHER_PORTFOLIO,
    )
    with pytest.raises(asyncpg.ForeignKeyViolationError) as caught:
        await filled.execute("DELETE FROM users WHERE email = 'Ada@example.org'")
    assert caught.value.constraint_name == "backtests_strategy_id_fkey"


async def test_a_portfolio_goes_with_holdings_and_backtests(filled: Connection) -> None:
    await filled.execute("DELETE FROM portfolios WHERE name = 'core' AND id <> " + OTHER_PORTFOLIO)
    assert await counts(filled, *OWNED) == {
        "portfolios": 1,
        "portfolio_holdings": 0,
        "strategies": 1,
        "backtests": 0,
        "performance_metrics": 0,
    }


async def test_a_backtest_goes_with_its_metrics(filled: Connection) -> None:
    await filled.execute("DELETE FROM backtests")
    left = await counts(filled, "portfolios", "strategies", "performance_metrics")
    assert left == {"portfolios": 2, "strategies": 1, "performance_metrics": 0}


async def test_a_strategy_with_backtests_stays(filled: Connection) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError) as caught:
        async with filled.transaction():
            await filled.execute("DELETE FROM strategies")
    assert caught.value.constraint_name == "backtests_strategy_id_fkey"
    await filled.execute("DELETE FROM backtests")
    assert await filled.execute("DELETE FROM strategies") == "DELETE 1"
