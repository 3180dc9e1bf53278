"""Backtest a portfolio of ETFs."""
