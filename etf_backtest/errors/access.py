"""What is there, and may not be changed, run or shared all the same.

Only of what somebody may see: of all else the answer is NotFoundError, as if it did not exist.
"""

from __future__ import annotations

from etf_backtest.errors.base import EtfBacktestError
from etf_backtest.errors.wording import quoted


class OthersPortfolioError(EtfBacktestError):
    """A portfolio that somebody has shared can be looked at, not run."""

    def __init__(self, name: str, portfolio_id: str) -> None:
        super().__init__(
            f"the portfolio {quoted(name)} is somebody else's: you may look at it, not run it",
            remedy="copy it and run the copy: "
            f"etf-backtest portfolio copy {portfolio_id} --name NAME",
        )
        self.name = name
        self.portfolio_id = portfolio_id


class PrivatePortfolioError(EtfBacktestError):
    """A backtest cannot be shared while its portfolio is private."""

    def __init__(self, backtest_id: str, portfolio: str) -> None:
        super().__init__(
            f"backtest {backtest_id} shows what its portfolio {quoted(portfolio)} holds, "
            "and that is private",
            remedy="share the portfolio first: etf-backtest portfolio share NAME",
        )
        self.backtest_id = backtest_id
        self.portfolio = portfolio


class SystemStrategyError(EtfBacktestError):
    """A strategy of the system is everybody's to run, and nobody's to change."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{quoted(name)} is a strategy of the system and cannot be deleted",
            remedy="your own are the others in etf-backtest strategy list",
        )
        self.name = name


class StrategyInUseError(EtfBacktestError):
    """A strategy that backtests were run with cannot be deleted before them."""

    def __init__(self, name: str, *, count: int) -> None:
        super().__init__(
            f"the strategy {quoted(name)} is that of {count} backtest{'s'[: count != 1]}",
            remedy="delete those first (etf-backtest backtest delete ID), or keep it",
        )
        self.name = name
        self.count = count
