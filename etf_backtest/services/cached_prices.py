"""Stored prices as a panel, from this machine's cache where they have been read before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from etf_backtest.database.panel_cache import PanelCache, panel_key, splice_json
from etf_backtest.database.price_store import DataState, price_state
from etf_backtest.database.proxy_store import load_proxies
from etf_backtest.services.price_panel import LoadedPrices, load_prices, symbols_named
from etf_backtest.services.proxy_history import splices_of_stored, symbols_needed
from etf_backtest.typing import JsonObject

if TYPE_CHECKING:
    from etf_backtest.database.url import DatabaseUrl
    from etf_backtest.market.splice import Splice


async def load_cached_prices(
    url: DatabaseUrl,
    symbols: str | Sequence[str],
    *,
    cache: PanelCache | None,
    proxies: bool | Mapping[str, Splice] = True,
    as_of: int | None = None,
) -> LoadedPrices:
    """What `load_prices` gives; the database is only asked what state its prices are in.

    Parameters
    ----------
    url : DatabaseUrl
    symbols : str or sequence of str
    cache : PanelCache or None
        Where panels are kept; None, or one of `most_bytes` 0, keeps none.
    proxies, as_of
        As in `load_prices`.

    Raises
    ------
    NoPricesError, SpliceError
        As `load_prices`.
    """
    if cache is None or not cache.most_bytes:
        return await load_prices(url, symbols, proxies=proxies, as_of=as_of)
    symbols = symbols_named(symbols)
    if proxies is True:
        splices = splices_of_stored(symbols, await load_proxies(url, symbols))
    else:
        splices = {each: proxies[each] for each in symbols if each in proxies} if proxies else {}

    def key(state: DataState) -> str:
        return panel_key(
            state, symbols, {name: splice_json(each) for name, each in sorted(splices.items())}
        )

    state = await price_state(url, symbols_needed(symbols, splices), as_of=as_of)
    found = cache.get(key(state))
    if found is not None:
        saved = cast("JsonObject", found.notes)
        unused = cast("list[tuple[str, str]]", saved["unused"])
        return LoadedPrices(
            found.panel,
            tuple(cast("list[str]", saved["notes"])),
            state,
            tuple((dt.date.fromisoformat(until), note) for until, note in unused),
        )
    loaded = await load_prices(url, symbols, proxies=splices, as_of=as_of)
    cache.put(
        key(loaded.state),
        loaded.panel,
        {
            "notes": list(loaded.notes),
            "unused": [[until.isoformat(), note] for until, note in loaded.unused],
        },
    )
    return loaded
