"""Plans of the application's queries, on rows that are there."""

from __future__ import annotations

import re
from pathlib import Path

import asyncpg
import pytest

from etf_backtest.database.doctor import QUERIES, explain
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.errors import UnknownPatternError
from tests.integration.schema.rows import insert_one_of_each


async def test_every_query_can_be_explained_and_writes_nothing(database_url: str) -> None:
    url = DatabaseUrl.parse(database_url)
    for name in QUERIES:  # without a row there are values, too
        assert (await explain(url, name)).rows is None
    connection = await asyncpg.connect(database_url)
    await insert_one_of_each(connection)
    # with so few rows no index would be used
    await connection.execute(f"ALTER DATABASE {url.database} SET enable_seqscan = off")
    await connection.execute(f"ALTER DATABASE {url.database} SET enable_bitmapscan = off")
    await connection.close()
    for name, query in QUERIES.items():
        plan = await explain(url, name, analyze=True)
        if "@>" not in query.sql:  # GIN has bitmaps alone
            assert plan.uses_its_indexes, (name, plan.lines)
        assert plan.rows is not None
        assert plan.milliseconds is not None


async def test_a_plan_in_lines(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO market_data (symbol, date, close, source)"
        " SELECT 'S' || s, date '2020-01-01' + d, 1, 'x'"
        " FROM generate_series(1, 20) s, generate_series(1, 400) d"
    )
    await connection.execute("ANALYZE")
    await connection.close()
    plan = await explain(DatabaseUrl.parse(database_url), "series-window", analyze=True)
    assert plan.indexes == ("market_data_symbol_date_key",)
    assert (plan.rows, plan.read_whole) == (365, ())
    assert re.fullmatch(
        r" *(Bitmap )?Index Scan using market_data_symbol_date_key (on market_data )?"
        r"\(\d+ rows expected, 365 found, [\d.]+ ms\) \[Index Cond: .*\]",
        plan.lines[-1],
    )


async def test_an_unknown_name(database_url: str) -> None:
    with pytest.raises(UnknownPatternError, match="no query of the application is called 'x'"):
        await explain(DatabaseUrl.parse(database_url), "x")


def test_each_index_that_the_docs_list_has_a_query(repository: Path) -> None:
    text = (repository / "docs" / "database.md").read_text()
    table = text[text.index("## Indexes") : text.index("The index on `backtests.results`")]
    documented = set(re.findall(r"`(\w+_(?:key|idx))`", table))
    # as written: e-mail is looked up whatever its case
    assert {name for query in QUERIES.values() for name in query.indexes} == documented - {
        "users_email_key"
    }
