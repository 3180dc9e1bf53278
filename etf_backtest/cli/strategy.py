"""`etf-backtest strategy`: rules that turn price history into target weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etf_backtest.cli import console
from etf_backtest.cli.options import JSON, YES, confirm
from etf_backtest.cli.parameter_schema import in_lines
from etf_backtest.cli.session import with_database

if TYPE_CHECKING:
    from etf_backtest.database.models import Strategy

app = typer.Typer(no_args_is_help=True, help="Rules that turn price history into target weights.")


def _as_data(strategy: Strategy) -> dict[str, object]:
    return {
        "id": strategy.id,
        "name": strategy.name,
        "type": str(strategy.type),
        "implementation": strategy.implementation,
        "description": strategy.description,
        "parameters": strategy.parameters,
        "is_system": strategy.isSystem,
    }


def _kind(strategy: Strategy) -> str:
    return strategy.implementation or str(strategy.type)


def _other_kind(strategy: Strategy) -> str:
    """The type as `--type` takes it, where it is not the name."""
    kind = strategy.implementation or str(strategy.type).replace("_", "-")
    return "" if kind == strategy.name else kind


def parse_settings(texts: list[str]) -> dict[str, object]:
    """NAME=VALUE arguments; JSON (126, 0.5, true, null) is taken as that, 5% as 0.05."""
    from etf_backtest.cli.rule_texts import parse_assignment
    from etf_backtest.errors import InvalidParametersError
    from etf_backtest.services.plain_data import UnboundedDataError, parse_json
    from etf_backtest.services.written import with_fractions

    settings: dict[str, object] = {}
    for text in texts:
        name, value = parse_assignment(text, "--set", "NAME=VALUE, such as look_back=126")
        if name in settings:
            raise InvalidParametersError("--set", [f"{name} is given twice"])
        try:
            settings[name] = parse_json(value)
        except UnboundedDataError as error:
            raise InvalidParametersError("--set", [f"{name}: {error}"]) from error
        except ValueError:
            settings[name] = with_fractions(value)
    return settings


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="A name of your own.")],
    kind: Annotated[
        str,
        typer.Option(
            "--type",
            "-t",
            metavar="TYPE",
            help="A name in strategy list of the system, or an entry point.",
        ),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter; as often as needed."),
    ] = None,
    parameters: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Parameters as TOML or JSON; --set goes before it."),
    ] = None,
    description: Annotated[str | None, typer.Option(help="In your words.")] = None,
    json: JSON = False,
) -> None:
    """Store a strategy with parameters of your own; what you do not set has its default.

    Example: etf-backtest strategy create half-year --type momentum --set look_back=126 --set
    top_n=2. A class of your own is found by its entry point in the group etf_backtest.strategies.
    """
    chosen = parse_settings(settings or [])
    from etf_backtest.services.rules_file import read_table
    from etf_backtest.services.strategies import create_strategy

    given = {} if parameters is None else read_table(parameters)
    strategy = with_database(
        lambda db: create_strategy(
            db, name=name, kind=kind, parameters={**given, **chosen}, description=description
        )
    )
    if json:
        console.show_json(_as_data(strategy))
    else:
        console.narrate(f"created strategy {strategy.name}: {_kind(strategy)} {_short(strategy)}")
        console.show_line(strategy.id)


def _short(strategy: Strategy) -> str:
    values = dict(strategy.parameters).items()
    return ", ".join(f"{name}={value}" for name, value in values if value is not None)


@app.command("list")
def list_(json: JSON = False) -> None:
    """List the strategies that you can run: the system's, and your own."""
    from etf_backtest.services.strategies import list_strategies

    strategies = with_database(list_strategies)
    if json:
        console.show_json([_as_data(strategy) for strategy in strategies])
    elif strategies:
        console.show_table(
            None,
            [("name", "left"), ("type", "left"), ("of", "left"), ("description", "left")],
            [
                (s.name, _other_kind(s), "system" if s.isSystem else "you", s.description or "-")
                for s in strategies
            ],
            fold="description",
        )
    else:
        console.narrate("no strategies yet: etf-backtest seed stores those of the system")


@app.command()
def show(name: Annotated[str, typer.Argument(help="Name or id.")], json: JSON = False) -> None:
    """Show one strategy: its parameters with bounds and defaults, and the paper it follows."""
    from etf_backtest.services.strategies import find_strategy, references, stored_schema

    strategy = with_database(lambda db: find_strategy(db, name))
    schema, source = stored_schema(strategy), references(strategy)
    if json:
        console.show_json({**_as_data(strategy), "parameters_schema": schema, "references": source})
        return
    console.show_facts(
        strategy.name,
        [
            ("id", strategy.id),
            ("type", _kind(strategy)),
            ("description", strategy.description or "-"),
            ("of", "the system" if strategy.isSystem else "you"),
            *([("source", source)] if source else []),
        ],
    )
    console.show_text("")
    width = min(100, console.terminal_width())
    lines = list(in_lines(schema, dict(strategy.parameters), width=width))
    for line, first in lines or [("It has no parameters.", False)]:
        console.show_text(line, style="cyan" if first else "")


@app.command()
def delete(
    name: Annotated[str, typer.Argument(help="Name or id of one of yours.")],
    yes: YES = False,
    json: JSON = False,
) -> None:
    """Delete a strategy of yours that no backtest was run with; it asks before it does."""
    from etf_backtest.services.strategies import delete_strategy, find_own_strategy

    strategy = with_database(lambda db: find_own_strategy(db, name))
    confirm(f"delete the strategy {strategy.name}?", yes=yes)
    with_database(lambda db: delete_strategy(db, strategy.id))
    if json:
        console.show_json({"id": strategy.id, "name": strategy.name})
    else:
        console.narrate(f"deleted {strategy.name}")
