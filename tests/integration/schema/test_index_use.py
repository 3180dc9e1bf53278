"""Each query pattern of the product uses its index, as the planner itself decides.

The planner weighs real statistics: 200,000 prices, and thousands of rows in the other tables, so
that a wrong index would cost something.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import asyncpg
import pytest

from tests.fixtures.cluster import Cluster, run_apart
from tests.fixtures.postgres import Servers
from tests.integration.schema.rows import Connection

pytestmark = pytest.mark.each_postgres

NAME: Final = "index_tests"
SYMBOLS, SESSIONS = 50, 4000  # 200,000 prices, 16 years each
MANY_ROWS: Final = Path(__file__).with_name("many_rows.sql")


@dataclass(frozen=True)
class Pattern:
    """A query pattern, and the indexes that have to serve it."""

    sql: str
    indexes: frozenset[str]

    def __str__(self) -> str:
        return "+".join(sorted(self.indexes))


def key(kind: int, number: int = 1) -> str:
    """As in many_rows.sql: 1 is a user, 2 a portfolio, 3 a strategy."""
    return f"'00000000-0000-4000-800{kind}-{number:012d}'"


PATTERNS = [
    # a user's portfolios with their holdings, in one query and as Prisma asks, in two
    Pattern(
        "SELECT * FROM portfolios p LEFT JOIN portfolio_holdings h ON h.portfolio_id = p.id"
        f" WHERE p.user_id = {key(1)}",
        frozenset({"portfolios_user_id_name_key", "portfolio_holdings_portfolio_id_symbol_key"}),
    ),
    Pattern(
        f"SELECT * FROM portfolio_holdings WHERE portfolio_id IN ({key(2, 1)}, {key(2, 3001)})",
        frozenset({"portfolio_holdings_portfolio_id_symbol_key"}),
    ),
    # which portfolios hold a symbol
    Pattern(
        "SELECT * FROM portfolio_holdings WHERE symbol = 'S0007'",
        frozenset({"portfolio_holdings_symbol_idx"}),
    ),
    # a user's latest backtests with metrics
    Pattern(
        "SELECT * FROM backtests b LEFT JOIN performance_metrics m ON m.backtest_id = b.id"
        f" WHERE b.user_id = {key(1)} ORDER BY b.created_at DESC LIMIT 20",
        frozenset({"backtests_user_id_created_at_idx", "performance_metrics_backtest_id_key"}),
    ),
    Pattern(
        f"SELECT * FROM backtests WHERE portfolio_id = {key(2)}",
        frozenset({"backtests_portfolio_id_idx"}),
    ),
    # a symbol's time series, whole, of some years, and its last price
    Pattern(
        "SELECT * FROM market_data WHERE symbol = 'S0007' ORDER BY date",
        frozenset({"market_data_symbol_date_key"}),
    ),
    Pattern(
        "SELECT date, close FROM market_data WHERE symbol = 'S0007'"
        " AND date BETWEEN '2010-01-01' AND '2011-12-31' ORDER BY date",
        frozenset({"market_data_symbol_date_key"}),
    ),
    Pattern(
        "SELECT * FROM market_data WHERE symbol = 'S0007' ORDER BY date DESC LIMIT 1",
        frozenset({"market_data_symbol_date_key"}),
    ),
    # what was changed after a state; the newest state known on a day; which series have changed
    Pattern(
        "SELECT * FROM market_data_history WHERE symbol = 'S0007' AND valid_to > 1"
        " AND valid_from <= 1",
        frozenset({"market_data_history_symbol_valid_to_idx"}),
    ),
    Pattern(
        "SELECT number FROM price_revisions WHERE known_at <= '2020-06-01'"
        " ORDER BY known_at DESC LIMIT 1",
        frozenset({"price_revisions_known_at_idx"}),
    ),
    Pattern(
        "SELECT s.symbol, r.id FROM price_series s JOIN price_revisions r ON r.number = s.revision"
        " WHERE s.symbol = 'S0007'",
        frozenset({"price_series_symbol_key", "price_revisions_number_key"}),
    ),
    Pattern(
        "SELECT * FROM packed_prices WHERE symbol = 'S0007'",
        frozenset({"packed_prices_symbol_key"}),
    ),
    # a fund's facts, its proxy, and what it stands in for
    Pattern(
        "SELECT * FROM etf_facts WHERE symbol = 'E0007' AND valid_from <= '2020-01-01'",
        frozenset({"etf_facts_symbol_valid_from_key"}),
    ),
    Pattern(
        "SELECT * FROM etf_proxies WHERE symbol = 'P0007'", frozenset({"etf_proxies_symbol_key"})
    ),
    Pattern(
        "SELECT * FROM etf_proxies WHERE proxy_symbol = 'E0007'",
        frozenset({"etf_proxies_proxy_symbol_idx"}),
    ),
    # ETFs by symbol, category and sector
    Pattern("SELECT * FROM etf_info WHERE symbol = 'E0007'", frozenset({"etf_info_symbol_key"})),
    Pattern(
        "SELECT * FROM etf_info WHERE category = 'Category 7'", frozenset({"etf_info_category_idx"})
    ),
    Pattern("SELECT * FROM etf_info WHERE sector = 'Sector 7'", frozenset({"etf_info_sector_idx"})),
    # backtests by strategy, and the next ones to run
    Pattern(
        f"SELECT * FROM backtests WHERE strategy_id = {key(3)}",
        frozenset({"backtests_strategy_id_idx"}),
    ),
    Pattern(
        "SELECT * FROM backtests WHERE status = 'pending' ORDER BY queued_at LIMIT 10",
        frozenset({"backtests_status_queued_at_idx"}),
    ),
    Pattern(
        "SELECT * FROM backtests WHERE status = 'failed'",
        frozenset({"backtests_status_queued_at_idx"}),
    ),
    # JSONB containment
    Pattern(
        """SELECT * FROM strategies WHERE parameters @> '{"lookback": 7}'""",
        frozenset({"strategies_parameters_idx"}),
    ),
    Pattern(
        """SELECT * FROM backtests WHERE results @> '{"engine": {"run": 7}}'""",
        frozenset({"backtests_results_idx"}),
    ),
    # strategies by type and by owner; the system's; a user by e-mail, whatever its case
    Pattern("SELECT * FROM strategies WHERE type = 'momentum'", frozenset({"strategies_type_idx"})),
    Pattern(
        f"SELECT * FROM strategies WHERE user_id = {key(1)}",
        frozenset({"strategies_user_id_name_key"}),
    ),
    Pattern(
        "SELECT * FROM strategies WHERE user_id IS NULL AND name = 'system 2'",
        frozenset({"strategies_system_name_key"}),
    ),
    Pattern(
        "SELECT * FROM users WHERE email = 'user7@example.org'", frozenset({"users_email_key"})
    ),
    Pattern(
        "SELECT * FROM users WHERE lower(email) = 'user7@example.org'",
        frozenset({"users_email_lower_key"}),
    ),
]


async def fill(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        first = dt.date(2000, 1, 3)
        await connection.copy_records_to_table(
            "market_data",
            columns=["symbol", "date", "close", "volume", "source"],
            records=(
                (f"S{symbol:04d}", first + dt.timedelta(days=day), 100 + day % 7, day, "test")
                for symbol in range(SYMBOLS)
                for day in range(SESSIONS)
            ),
        )
        await connection.execute(MANY_ROWS.read_text(encoding="utf-8"))
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def big_database(postgres: Cluster, _servers: Servers) -> Iterator[str]:
    postgres.execute(f"CREATE DATABASE {NAME} TEMPLATE {_servers.template(postgres)}")
    run_apart(fill(postgres.url(NAME)))
    yield postgres.url(NAME)
    postgres.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")


async def plan(connection: Connection, sql: str) -> dict[str, Any]:
    answer = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {sql}")
    return cast("dict[str, Any]", json.loads(answer)[0]["Plan"])


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
async def test_the_planner_takes_the_index(big_database: str, pattern: Pattern) -> None:
    connection = await asyncpg.connect(big_database)
    try:
        assert await connection.fetchval("SHOW enable_seqscan") == "on"
        found = list(nodes(await plan(connection, pattern.sql)))
    finally:
        await connection.close()
    assert {node["Index Name"] for node in found if "Index Name" in node} == pattern.indexes
    assert "Seq Scan" not in {node["Node Type"] for node in found}


async def test_there_are_as_many_prices_as_promised(big_database: str) -> None:
    connection = await asyncpg.connect(big_database)
    try:
        assert await connection.fetchval("SELECT count(*) FROM market_data") == 200_000
    finally:
        await connection.close()
