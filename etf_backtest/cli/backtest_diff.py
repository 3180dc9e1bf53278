"""`etf-backtest backtest diff`: why two runs have other numbers."""

from __future__ import annotations

from typing import Annotated

import typer

from etf_backtest.cli import diff_view
from etf_backtest.cli.options import JSON
from etf_backtest.cli.session import with_database


def diff(
    first: Annotated[
        str, typer.Argument(metavar="ID1", help="The id, or the first characters of it.")
    ],
    second: Annotated[
        str | None,
        typer.Argument(metavar="ID2", help="By default the same run as it comes out now."),
    ] = None,
    json: JSON = False,
) -> None:
    """Attribute the change of each metric between two runs to what differs in them.

    The first is computed again with one thing of the second at a time: prices
    as they were stored, proxies, strategy and portfolio, rules, window, benchmark
    and risk-free rate. What computes otherwise now than when a run was stored is
    the engine's.

    Example: etf-backtest backtest diff 3f2a 9c41
    """
    from etf_backtest.services.attribution import attribute

    diff_view.show(with_database(lambda db: attribute(db, first, second)), json=json)
