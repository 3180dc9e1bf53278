"""Which proxies stand before the prices of symbols: read beside the prices, without the engine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etf_backtest.database.direct import direct_connection

if TYPE_CHECKING:
    from etf_backtest.database.url import DatabaseUrl

# a cycle, which only another writer can make, ends where it began: UNION drops what is there
_PROXIES = """
WITH RECURSIVE chain AS (
    SELECT symbol, proxy_symbol, splice_date, annual_fee FROM etf_proxies WHERE symbol = ANY($1)
    UNION
    SELECT own.symbol, own.proxy_symbol, own.splice_date, own.annual_fee
    FROM etf_proxies AS own JOIN chain ON own.symbol = chain.proxy_symbol
)
SELECT symbol, proxy_symbol, splice_date, annual_fee::float8 FROM chain
"""


@dataclass(frozen=True, slots=True)
class StoredProxy:
    """A row of etf_proxies, without its figures."""

    symbol: str
    proxy: str
    splice_date: dt.date
    annual_fee: float


async def load_proxies(url: DatabaseUrl, symbols: Sequence[str]) -> dict[str, StoredProxy]:
    """The proxies of `symbols`, those proxies' own, and so on, by symbol."""
    async with direct_connection(url) as connection:
        rows = await connection.fetch(_PROXIES, list(symbols))
    return {row["symbol"]: StoredProxy(*row) for row in rows}
