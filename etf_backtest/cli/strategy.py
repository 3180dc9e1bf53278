"""`etf-backtest strategy`: rules that turn price history into target weights."""

from __future__ import annotations

import json as json_module
from typing import TYPE_CHECKING, Annotated

import typer

from etf_backtest.cli import console
from etf_backtest.cli.options import JSON
from etf_backtest.cli.session import with_database

if TYPE_CHECKING:
    from etf_backtest.database.models import Strategy

app = typer.Typer(no_args_is_help=True, help="Rules that turn price history into target weights.")


def _as_data(strategy: Strategy) -> dict[str, object]:
    return {
        "id": strategy.id,
        "name": strategy.name,
        "type": str(strategy.type),
        "description": strategy.description,
        "parameters": strategy.parameters,
        "is_system": strategy.isSystem,
    }


@app.command("list")
def list_(json: JSON = False) -> None:
    """List the strategies that you can run."""
    from etf_backtest.services.strategies import list_strategies

    strategies = with_database(list_strategies)
    if json:
        console.show_json([_as_data(strategy) for strategy in strategies])
    elif strategies:
        console.show_table(
            None,
            [("name", "left"), ("type", "left"), ("description", "left")],
            [(s.name, str(s.type), s.description or "-") for s in strategies],
            fold="description",
        )
    else:
        console.narrate("no strategies yet: etf-backtest seed stores those of the system")


@app.command()
def show(name: Annotated[str, typer.Argument(help="Name or id.")], json: JSON = False) -> None:
    """Show one strategy with its parameters."""
    from etf_backtest.services.strategies import find_strategy

    strategy = with_database(lambda db: find_strategy(db, name))
    data = _as_data(strategy)
    if json:
        console.show_json(data)
    else:
        facts = [
            (key.replace("_", " "), value if isinstance(value, str) else json_module.dumps(value))
            for key, value in data.items()
        ]
        console.show_facts(strategy.name, facts)
