"""`python -m etf_backtest` is `etf-backtest`."""

from etf_backtest.cli import main

main()
