"""What `market.quality` refuses of a row is what the table `market_data` refuses."""

from __future__ import annotations

import asyncpg
import numpy as np

from etf_backtest.market.bars import SCALES, UNKNOWN, Bars
from etf_backtest.market.quality import check_bars
from tests.integration.schema.rows import Connection

ROWS = 600
EDGES = {
    4: (-1, 0, 1, 2, 99_999, 100_000, 10**10 - 1, 10**10),
    0: (-1, 0, 2**63 - 1),
    6: (-1, 0, 1, 10**12 - 1, 10**12),
    12: (-1, 0, 1, 10**12, 10**18 - 1, 10**18),
}


async def test_the_table_and_the_rules_refuse_the_same_rows(connection: Connection) -> None:
    """Random rows out of numbers at the ends of what is allowed, most of them unknown."""
    random = np.random.default_rng(20240102)
    columns = {
        field: random.choice((*EDGES[scale], *[UNKNOWN] * (6 * len(EDGES[scale]))), ROWS)
        for field, scale in SCALES.items()
    }
    columns["close"] = np.where(random.random(ROWS) < 0.7, 99_999, columns["close"])
    days = np.datetime64("2000-01-01") + np.arange(ROWS)
    bars = Bars.from_columns(["SPY"], np.zeros(ROWS, np.int32), days, **columns)
    refused = [await is_refused(connection, bars, row) for row in range(ROWS)]
    assert check_bars(bars, today=None).rejected.tolist() == refused
    assert 100 < sum(refused) < ROWS - 100


async def is_refused(connection: Connection, bars: Bars, row: int) -> bool:
    values = [bars.value(field, row) for field in SCALES]
    marks = ", ".join(f"${place + 2}" for place in range(len(values)))
    try:
        async with connection.transaction():
            await connection.execute(
                f"INSERT INTO market_data (symbol, date, source, {', '.join(SCALES)}) "
                f"VALUES ('SPY', $1, 'test', {marks})",
                bars.dates[row].item(),
                *values,
            )
    except (asyncpg.CheckViolationError, asyncpg.NumericValueOutOfRangeError):
        return True
    return False
