"""Names of columns: what tells one symbol's prices from another's."""

from __future__ import annotations

from etf_backtest.errors import PriceDataError
from etf_backtest.errors.wording import quoted, shortened


def check_symbols(symbols: tuple[object, ...]) -> tuple[str, ...]:
    """Demand different names that can be printed on a line, without blanks around them.

    Raises
    ------
    PriceDataError
        Naming the symbol that is none, or that stands twice.
    """
    for symbol in symbols:
        if not isinstance(symbol, str) or not symbol.strip():
            raise PriceDataError(
                f"{quoted(symbol)} is not a symbol", remedy="name each column by its symbol"
            )
        if symbol != symbol.strip():
            raise PriceDataError(
                f"the symbol {quoted(symbol)} has blanks around it",
                symbol=symbol,
                remedy=f"name it {quoted(symbol.strip())}",
            )
        if not symbol.isprintable():
            raise PriceDataError(
                f"{quoted(symbol)} is not a symbol: it has a character that cannot be printed",
                symbol=symbol,
                remedy="name each column by its symbol",
            )
    if len(set(symbols)) < len(symbols):
        twice = next(symbol for symbol in symbols if symbols.count(symbol) > 1)
        raise PriceDataError(
            f"the symbol {shortened(str(twice))} stands twice",
            symbol=str(twice),
            remedy="keep one column of it",
        )
    return tuple(str(symbol) for symbol in symbols)
