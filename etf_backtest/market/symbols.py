"""Names of columns: what tells one symbol's prices from another's."""

from __future__ import annotations

from etf_backtest.errors import PriceDataError


def check_symbols(symbols: tuple[object, ...]) -> tuple[str, ...]:
    """Demand different names, without blanks around them.

    Raises
    ------
    PriceDataError
        Naming the symbol that is none, or that stands twice.
    """
    for symbol in symbols:
        if not isinstance(symbol, str) or not symbol.strip():
            raise PriceDataError(
                f"{symbol!r} is not a symbol", remedy="name each column by its symbol"
            )
        if symbol != symbol.strip():
            raise PriceDataError(
                f"the symbol {symbol!r} has blanks around it",
                symbol=symbol,
                remedy=f"name it {symbol.strip()!r}",
            )
    if len(set(symbols)) < len(symbols):
        twice = next(symbol for symbol in symbols if symbols.count(symbol) > 1)
        raise PriceDataError(
            f"the symbol {twice} stands twice", symbol=str(twice), remedy="keep one column of it"
        )
    return tuple(str(symbol) for symbol in symbols)
