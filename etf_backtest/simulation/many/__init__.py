"""Many portfolios at once."""

from etf_backtest.simulation.many.measures import MANY_METRICS, QUICK_METRICS
from etf_backtest.simulation.many.result import ManyResults
from etf_backtest.simulation.many.run import simulate_many

__all__ = ["MANY_METRICS", "QUICK_METRICS", "ManyResults", "simulate_many"]
