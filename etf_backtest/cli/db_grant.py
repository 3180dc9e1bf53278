"""`etf-backtest db grant`: roles that may do what they need, and no more."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etf_backtest.cli import console
from etf_backtest.cli.options import JSON
from etf_backtest.cli.session import with_url

if TYPE_CHECKING:
    from etf_backtest.database.roles import GrantReport
    from etf_backtest.database.url import DatabaseUrl


class Kind(StrEnum):
    """What the role is for."""

    OWNER = "owner"
    APP = "app"
    READONLY = "readonly"


def grant(
    kind: Annotated[
        Kind, typer.Argument(help="owner: migrations; app: commands, workers; readonly: notebooks.")
    ],
    role: Annotated[str, typer.Argument(help="Its name on the server.")],
    create: Annotated[
        bool, typer.Option("--create", help="Make the role where it is missing.")
    ] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Its password is the first line of stdin.")
    ] = False,
    password_file: Annotated[
        Path | None, typer.Option(help="Its password is the first line of this file.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing, print the SQL.")
    ] = False,
    json: JSON = False,
) -> None:
    """Give a role what it needs in this database, and take back all else that is ours.

    Run it as a superuser or as the owner, and again after each migrate deploy: what new tables need
    is given then. The server is never told the password, only its SCRAM-SHA-256 verifier.

    Example: etf-backtest db grant readonly notebooks --create --password-file FILE
    """
    from etf_backtest.database.roles import RoleKind, grant_role

    password = _password(
        role, create=create, dry_run=dry_run, from_stdin=password_stdin, file=password_file
    )

    async def granted(url: DatabaseUrl) -> GrantReport:
        return await grant_role(
            url, role, RoleKind(kind.value), create=create, password=password, dry_run=dry_run
        )

    _show(with_url(granted), json=json, dry_run=dry_run)


def _show(report: GrantReport, *, json: bool, dry_run: bool) -> None:
    for warning in report.warnings:
        console.warn(warning)
    if json:
        facts = {
            "role": report.role,
            "kind": report.kind.value,
            "created": report.is_new,
            "password_set": report.password_set,
            "dry_run": dry_run,
            "statements": report.statements,
            "warnings": report.warnings,
        }
        console.show_json(facts)
        return
    count = len(report.statements)
    if not report.statements:
        console.narrate(f"{report.role} has the rights of {report.kind.value} already")
    elif dry_run:
        for statement in report.statements:
            console.show_line(f"{statement};")
        console.narrate("nothing was changed (--dry-run)")
    else:
        console.narrate(
            f"{report.role} has the rights of {report.kind.value} now "
            f"({count} {'statement' if count == 1 else 'statements'})"
        )


def _password(
    role: str, *, create: bool, dry_run: bool, from_stdin: bool, file: Path | None
) -> str | None:
    """The password from stdin, a file or, for a new role on a terminal, a prompt."""
    import sys

    if from_stdin and file is not None:
        raise typer.BadParameter("give --password-stdin or --password-file, one of the two")
    if from_stdin:
        return _first_line(sys.stdin.buffer.readline(), "standard input")
    if file is not None:
        try:
            with file.open("rb") as lines:
                return _first_line(lines.readline(), str(file))
        except OSError as error:
            raise typer.BadParameter(
                f"{file} cannot be read: {error.strerror}", param_hint="--password-file"
            ) from None
    if not create:
        return None
    if dry_run:
        return ""  # it is not used: only that there would be one is told
    if not sys.stdin.isatty():
        raise typer.BadParameter(
            "a new role needs a password: give --password-stdin or --password-file",
            param_hint="--create",
        )
    text: str = typer.prompt(
        f"password of {role}", hide_input=True, confirmation_prompt=True, err=True
    )
    return text


def _first_line(line: bytes, source: str) -> str:
    try:
        text = line.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"the password of {source} is not UTF-8") from None
    if not text or "\0" in text:
        raise typer.BadParameter(f"{source} has no password in its first line")
    return text
