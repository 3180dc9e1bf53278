"""`etf-backtest db doctor` and `db explain`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from etf_backtest.cli import console
from etf_backtest.cli.options import JSON
from etf_backtest.cli.session import run, settings

if TYPE_CHECKING:
    from etf_backtest.database.doctor import Examination, Plan


def register(app: typer.Typer, *, panel: str) -> None:
    """Add both commands, under a heading of `--help`."""
    app.command(rich_help_panel=panel)(doctor)
    app.command(rich_help_panel=panel)(explain)


def doctor(
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Do not read every row, nor compare with schema.prisma."),
    ] = False,
    json: JSON = False,
) -> None:
    """Look whether the database is well; 1 if something is wrong. Changes nothing.

    Server, migrations, drift, queue, indexes, constraints asked of every row, sequences, backtests
    that nobody works on, dead rows, unused indexes, slow statements, and versions for a report.
    """
    from etf_backtest.database.doctor import examine
    from etf_backtest.database.postgres import check_database

    async def look() -> Examination:
        where = settings()
        return await examine(
            where, await check_database(where), every_row=not quick, drift=not quick
        )

    found = run(look())
    if json:
        console.show_json(
            {
                "is_well": found.is_well,
                "findings": [asdict(finding) for finding in found.findings],
                "versions": dict(found.versions),
            }
        )
    else:
        console.show_table(
            None,
            [("", "left"), ("check", "left"), ("found", "left")],
            [
                (f.severity, f.check, f.text + (f" -> {f.remedy}" if f.remedy else ""))
                for f in found.findings
            ],
            fold="found",
        )
        console.show_line(", ".join(f"{name} {text}" for name, text in found.versions.items()))
    raise typer.Exit(0 if found.is_well else 1)


def explain(
    pattern: Annotated[
        str | None, typer.Argument(help="The query's name; without it they are listed.")
    ] = None,
    analyze: Annotated[
        bool, typer.Option("--analyze", help="Run it, too, and count and time what it does.")
    ] = False,
    json: JSON = False,
) -> None:
    """Show how PostgreSQL answers a query of the application, on your data.

    Example: etf-backtest db explain user-backtests --analyze
    """
    from etf_backtest.database.doctor import explain as ask
    from etf_backtest.database.postgres import check_database

    if pattern is None:
        _list(json=json)
        return
    name = pattern

    async def asked() -> Plan:
        return await ask(await check_database(settings()), name, analyze=analyze)

    plan = run(asked())
    if json:
        console.show_json({**asdict(plan), "uses_its_indexes": plan.uses_its_indexes})
        return
    console.narrate(f"{plan.query.question}: {plan.query.sql}")
    for line in plan.lines:
        console.show_line(line)
    used = ", ".join(plan.indexes) or "none"
    whole = f"; read whole: {', '.join(plan.read_whole)}" if plan.read_whole else ""
    console.show_line(f"indexes used: {used}{whole}")
    if plan.rows is not None and plan.milliseconds is not None:
        console.show_line(f"{plan.rows:,} rows in {plan.milliseconds:.2f} ms")
    if not plan.uses_its_indexes:
        console.narrate(
            f"there for it: {', '.join(plan.query.indexes)}; with few rows, or where most of them "
            "are wanted, reading the table is faster"
        )


def _list(*, json: bool) -> None:
    from etf_backtest.database.doctor import QUERIES

    if json:
        console.show_json([asdict(query) for query in QUERIES.values()])
        return
    console.show_table(
        None,
        [("pattern", "left"), ("question", "left"), ("index", "left")],
        [(q.name, q.question, ", ".join(q.indexes)) for q in QUERIES.values()],
    )
