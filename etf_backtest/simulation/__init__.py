"""Simulation: prices, targets and rules in, holdings and value out."""

from etf_backtest.simulation.cash_flows import CashFlow
from etf_backtest.simulation.costs import Costs
from etf_backtest.simulation.rebalancing import Bands, Rebalancing
from etf_backtest.simulation.result import CONVENTIONS_VERSION, SimulationResult, Window
from etf_backtest.simulation.rules import Rules
from etf_backtest.simulation.run import check_risk_free, simulate

__all__ = [
    "CONVENTIONS_VERSION",
    "Bands",
    "CashFlow",
    "Costs",
    "Rebalancing",
    "Rules",
    "SimulationResult",
    "Window",
    "check_risk_free",
    "simulate",
]
