"""`etf-backtest seed`: what every installation starts with."""

from __future__ import annotations

import typer

from etf_backtest.cli.session import settings, with_url


def seed() -> None:
    """Store the system's strategies and well-known ETFs; what is there stays as it is."""
    from etf_backtest.database.prisma_cli import seed as run_seed

    raise typer.Exit(with_url(lambda url: run_seed(settings(), url.render())))
