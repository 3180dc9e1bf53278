"""The second answer: a slow book-keeper in Decimal, who shares only the inputs with the kernel."""

from etf_backtest.simulation.ledger.result import LedgerDay, LedgerResult, LedgerTrade
from etf_backtest.simulation.ledger.rounding import RoundingDifference
from etf_backtest.simulation.ledger.simulate import simulate_ledger

__all__ = ["LedgerDay", "LedgerResult", "LedgerTrade", "RoundingDifference", "simulate_ledger"]
