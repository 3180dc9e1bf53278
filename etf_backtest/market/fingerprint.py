"""A short number that changes whenever a symbol's prices do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from etf_backtest.typing import DateArray, FloatArray

if TYPE_CHECKING:
    from etf_backtest.market.panel import PricePanel

LAYOUT = b"etf_backtest prices 1"


def symbol_fingerprints(panel: PricePanel) -> Iterator[tuple[str, str]]:
    """Yield (symbol, fingerprint): see `PricePanel.fingerprints`.

    Hashed are these parts, each after its length in bytes as an unsigned 64-bit integer; all
    numbers are little-endian:

    1. the text ``etf_backtest prices 1``
    2. the symbol, and 3. the value of its PriceBasis, in UTF-8
    4. the sessions on which it has a price: days since 1970-01-01, 64-bit integers
    5. its prices on them: 64-bit floats
    6. to 8., where they are known: closes, dividends and splits on them, 64-bit floats; of a symbol
       with proxy history those from its splice date on

    Sessions without a price are left out, so there is no NaN, and -0.0 counts as 0.0.
    """
    quotes = panel.quotes
    known = () if quotes is None else np.flatnonzero(quotes.known_at_last)
    for column, symbol in enumerate(panel.symbols):
        levels = [panel.prices[:, column]]
        if quotes is not None and column in known:
            levels += [
                values[:, column] for values in (quotes.closes, quotes.dividends, quotes.splits)
            ]
        priced = ~np.isnan(levels[0])
        yield (
            symbol,
            _digest(
                LAYOUT,
                symbol.encode(),
                panel.basis[column].value.encode(),
                _days(panel.dates[priced]),
                *(_numbers(values[priced & ~np.isnan(values)]) for values in levels),
            ),
        )


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def _days(dates: DateArray) -> bytes:
    return dates.astype("datetime64[D]").astype("<i8").tobytes()


def _numbers(values: FloatArray) -> bytes:
    return (values + 0.0).astype("<f8").tobytes()  # -0.0 + 0.0 is 0.0
