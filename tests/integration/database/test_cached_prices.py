"""Cached panels of stored prices: the same as read, and never those of before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from etf_backtest.database.panel_cache import PanelCache
from etf_backtest.database.price_import import open_import
from etf_backtest.database.price_store import load_series
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.market.bars import Bars
from etf_backtest.services.cached_prices import load_cached_prices
from etf_backtest.services.price_panel import load_prices
from tests.integration.database.made_up_bars import closes

pytestmark = pytest.mark.each_postgres


@pytest.fixture
def url(database_url: str) -> DatabaseUrl:
    return DatabaseUrl.parse(database_url)


def adjusted(bars: Bars) -> Bars:
    """The closes as adjusted closes, which need no dividends."""
    return Bars.from_columns(bars.symbols, bars.codes, bars.dates, adjusted_close=bars.close)


async def store(url: DatabaseUrl, bars: Bars, *, source: str = "a") -> int | None:
    async with open_import(url, source=source, split_adjusted=False) as importing:
        await importing.add(bars)
        return (await importing.finish()).revision


async def test_a_panel_is_read_once_and_anew_when_its_prices_change(
    url: DatabaseUrl, tmp_path: Path
) -> None:
    cache = PanelCache(tmp_path, 10**7)
    await store(url, adjusted(closes({"A": 30, "B": 20})))
    first = await load_cached_prices(url, ["a", "B"], cache=cache)
    again = await load_cached_prices(url, ["A", "B"], cache=cache)
    plain = await load_prices(url, ["A", "B"])
    assert first.panel.prices.flags.owndata
    assert not again.panel.prices.flags.owndata  # the file's
    for loaded in (first, again):
        assert loaded.panel.fingerprints() == plain.panel.fingerprints()
        assert (loaded.notes, loaded.state, loaded.unused) == (
            plain.notes,
            plain.state,
            plain.unused,
        )
    revision = await store(url, adjusted(closes({"B": 20}, plus=10)), source="b")
    changed = await load_cached_prices(url, ["A", "B"], cache=cache)
    assert changed.panel.prices[0].tolist() == [100.0, 100.001]
    assert revision is not None
    before = await load_cached_prices(url, ["A", "B"], cache=cache, as_of=revision - 1)
    assert not before.panel.prices.flags.owndata  # known still
    assert before.panel.prices[0].tolist() == [100.0, 100.0]


async def test_packed_live_and_earlier_series_are_the_same_where_prices_are(
    url: DatabaseUrl,
) -> None:
    bars = closes({"A": 50})
    amounts = np.where(np.arange(50) % 7 == 0, 250_000, 0)
    amounts[3] = np.iinfo(np.int64).min
    whole = Bars.from_columns(
        bars.symbols,
        bars.codes,
        bars.dates,
        close=bars.close,
        dividend_amount=amounts,
        split_ratio=np.where(np.arange(50) == 20, 2 * 10**12, 10**12),
    )
    state = await store(url, whole)
    packed = (await load_series(url, ["A"])).series["A"]
    import asyncpg

    connection = await asyncpg.connect(**url.asyncpg_arguments())
    # another writer knows nothing of packed series: they are of use no more
    await connection.execute("UPDATE market_data SET close = close + 1 WHERE date = '2000-01-05'")
    live = (await load_series(url, ["A"])).series["A"]
    earlier = (await load_series(url, ["A"], as_of=state)).series["A"]
    await connection.close()
    assert packed.dividends[[0, 1, 3, 7]].tolist()[:2] == [0.25, 0.0]
    assert np.isnan(packed.dividends[3])
    assert packed.split_ratios[[19, 20, 21]].tolist() == [1.0, 2.0, 1.0]
    assert packed.split_adjusted == {False}
    assert live.closes[4] == packed.closes[4] + 1
    for name in ("dates", "closes", "adjusted_closes", "dividends", "split_ratios"):
        np.testing.assert_array_equal(getattr(earlier, name), getattr(packed, name))
    for name in ("dates", "adjusted_closes", "dividends", "split_ratios"):
        np.testing.assert_array_equal(getattr(live, name), getattr(packed, name))
