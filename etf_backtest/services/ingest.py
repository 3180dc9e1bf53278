"""Prices from a provider into the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etf_backtest.database.price_store import StoreReport, store_bars

if TYPE_CHECKING:
    from etf_backtest.database.url import DatabaseUrl
    from etf_backtest.providers.csv_file import PriceFile

SOURCE_LENGTH = 50


async def import_prices(url: DatabaseUrl, file: PriceFile, *, source: str) -> StoreReport:
    """Store every bar of a file, or none of them; doing it again changes nothing.

    Parameters
    ----------
    source : str
        Kept with each row; cut to the 50 characters that the column holds.
    """
    return await store_bars(url, file.bars, source=source[:SOURCE_LENGTH])
