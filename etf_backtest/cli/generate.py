"""`etf-backtest generate`: the typed client from schema.prisma."""

from __future__ import annotations

import typer

from etf_backtest.cli.session import run, settings


def generate() -> None:
    """Generate the typed Python client from prisma/schema.prisma."""
    from etf_backtest.database.prisma_cli import generate as run_generate

    raise typer.Exit(run(run_generate(settings())))
