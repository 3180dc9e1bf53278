"""The same portfolios in bt, one after the other. Its run includes its own statistics."""

from __future__ import annotations

import bt  # type: ignore[import-untyped]  # has no types
import pandas as pd

from benchmarks.alone import Work
from benchmarks.contestants import synthetic


def fixed_weights(count: int) -> Work:
    """Monthly, with costs."""
    days = synthetic.dates(synthetic.SESSIONS)
    symbols = synthetic.symbols(synthetic.ETFS)
    prices = pd.DataFrame(
        synthetic.prices(synthetic.SESSIONS, synthetic.ETFS), pd.DatetimeIndex(days), symbols
    )
    on = prices.index[synthetic.month_ends(days)]
    weights = synthetic.portfolios(count, synthetic.ETFS)

    def run() -> float:
        total = 0.0
        for row in weights:
            algos = [
                bt.algos.RunOnDate(*on),
                bt.algos.WeighSpecified(**dict(zip(symbols, row, strict=True))),
                bt.algos.Rebalance(),
            ]
            book = bt.Backtest(
                bt.Strategy("run", algos),
                prices,
                initial_capital=synthetic.CAPITAL,
                integer_positions=False,
                commissions=lambda quantity, price: synthetic.COST * abs(quantity) * price,
            )
            book.run()
            total += float(book.strategy.values.iloc[-1])
        return total / count

    return run
