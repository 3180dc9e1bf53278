"""The Prisma CLI, pinned and run on Node from a wheel: generate, migrate, push, pull, seed."""

from etf_backtest.database.prisma_cli.generate import generate
from etf_backtest.database.prisma_cli.process import Output
from etf_backtest.database.prisma_cli.project import Project

__all__ = ["Output", "Project", "generate"]
