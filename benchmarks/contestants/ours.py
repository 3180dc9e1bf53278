"""etf_backtest."""

from __future__ import annotations

import numpy as np

import etf_backtest as eb
from benchmarks.alone import Work
from benchmarks.contestants import synthetic
from etf_backtest.simulation.many import simulate_many

MONTHLY = eb.Rules(
    initial_capital=synthetic.CAPITAL,
    rebalance="monthly",
    costs=eb.Costs(commission_bps=synthetic.COMMISSION_BPS, slippage_bps=synthetic.SLIPPAGE_BPS),
)


def _panel(sessions: int, etfs: int) -> eb.PricePanel:
    return eb.PricePanel(
        synthetic.dates(sessions),
        synthetic.symbols(etfs),
        synthetic.prices(sessions, etfs),
        (eb.PriceBasis.TOTAL_RETURN,) * etfs,
    )


def _first_portfolio() -> eb.Strategy:
    weights = synthetic.portfolios(1, synthetic.ETFS)[0].tolist()
    return eb.FixedWeights(dict(zip(synthetic.symbols(synthetic.ETFS), weights, strict=True)))


def held() -> Work:
    """One portfolio: the simulation alone."""
    panel, strategy = _panel(synthetic.SESSIONS, synthetic.ETFS), _first_portfolio()
    return lambda: float(eb.simulate(panel, strategy, MONTHLY).book.equity[-1])


def measured() -> Work:
    """One portfolio, with every metric, those beside a benchmark included."""
    panel, strategy = _panel(synthetic.SESSIONS, synthetic.ETFS), _first_portfolio()

    def run() -> float:
        result = eb.simulate(panel, strategy, MONTHLY, benchmark=panel.symbols[0], risk_free=0.02)
        result.metrics.to_dict()
        return float(result.book.equity[-1])

    return run


def many(count: int, sessions: int = synthetic.SESSIONS) -> Work:
    """Many portfolios: final value, Sharpe ratio and drawdown of each."""
    panel = _panel(sessions, synthetic.ETFS)
    weights = synthetic.portfolios(count, synthetic.ETFS)
    return lambda: float(np.mean(simulate_many(panel, weights, MONTHLY).metrics["final_value"]))


def sweep(etfs: int) -> Work:
    """1,000 points of cross-sectional momentum, signals included."""
    panel = _panel(synthetic.SESSIONS, etfs)
    points = [
        eb.Momentum(panel.symbols, look_back=look_back, skip=skip, top_n=top_n)
        for look_back in range(21, 21 * 26, 21)
        for skip in (0, 5, 10, 21)
        for top_n in range(1, 11)
    ]
    return lambda: float(np.mean(simulate_many(panel, points, MONTHLY).metrics["final_value"]))


def momentum(look_back: int, skip: int, top_n: int, etfs: int) -> Work:
    """One point of it, alone."""
    panel = _panel(synthetic.SESSIONS, etfs)
    strategy = eb.Momentum(panel.symbols, look_back=look_back, skip=skip, top_n=top_n)
    return lambda: float(eb.simulate(panel, strategy, MONTHLY).book.equity[-1])
