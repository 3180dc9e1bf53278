"""`etf-backtest db backup` and `db restore`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etf_backtest.cli import console
from etf_backtest.cli.options import JSON
from etf_backtest.cli.session import with_url

if TYPE_CHECKING:
    from etf_backtest.database.backup import Backup, Restored
    from etf_backtest.database.url import DatabaseUrl


def register(app: typer.Typer, *, panel: str) -> None:
    """Add both commands, under a heading of `--help`."""
    app.command(rich_help_panel=panel)(backup)
    app.command(rich_help_panel=panel)(restore)


def backup(
    file: Annotated[Path, typer.Argument(help="The archive; FILE.json is its manifest.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a backup that is there.")
    ] = False,
    json: JSON = False,
) -> None:
    """Write all tables, of one moment, to FILE, and what has to come out of it to FILE.json.

    FILE is an archive of pg_dump (custom format). Both files can be read by nobody else.

    Example: etf-backtest db backup etf_backtest-2026-11-22.dump
    """
    from etf_backtest.database.backup import back_up

    async def write(url: DatabaseUrl) -> Backup:
        with console.counting("bytes") as progress:
            return await back_up(url, file, overwrite=overwrite, progress=progress)

    done = with_url(write)
    manifest = done.manifest
    if json:
        console.show_json(
            {
                "file": str(done.path),
                "manifest": str(done.manifest_path),
                "bytes": manifest.file.bytes,
                "sha256": manifest.file.sha256,
                "tables": len(manifest.tables),
                "rows": manifest.rows,
                "seconds": round(done.seconds, 3),
            }
        )
        return
    console.narrate(
        f"{manifest.rows:,} rows of {len(manifest.tables)} tables in {done.seconds:.1f} s, "
        f"{manifest.file.bytes:,} bytes"
    )
    console.show_line(str(done.path))


def restore(
    file: Annotated[Path, typer.Argument(help="An archive that db backup wrote.")],
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            "-y",
            help="Take the place of what is there (kept under another name); do without FILE.json.",
        ),
    ] = False,
    json: JSON = False,
) -> None:
    """Put a backup into an empty database, all of it or nothing.

    It is verified before anything is touched (SHA-256), and again before anybody can see it: rows,
    checksums, constraints, triggers.

    Example: etf-backtest db restore etf_backtest-2026-11-22.dump
    """
    from etf_backtest.database.backup import restore as run_restore

    async def read(url: DatabaseUrl) -> Restored:
        return await run_restore(url, file, confirmed=yes, narrate=console.narrate)

    done = with_url(read)
    pending = done.history.pending if done.history else ()
    edited = done.history.edited if done.history else ()
    for note in done.notes:
        console.warn(note)
    if edited:
        console.warn(f"migrations that are not as they are on disk: {', '.join(edited)}")
    if json:
        console.show_json(
            {
                "database": done.database,
                "tables": done.tables,
                "rows": done.rows,
                "verified": done.verified,
                "kept": done.kept,
                "pending_migrations": list(pending),
                "notes": list(done.notes),
                "seconds": round(done.seconds, 3),
            }
        )
    else:
        how = "verified" if done.verified else "not verified: there was no manifest"
        console.show_line(
            f"{done.database}: {done.rows:,} rows of {done.tables} tables "
            f"in {done.seconds:.1f} s, {how}"
        )
    if done.kept:
        _say_what_was_kept(done.kept, done.ended_connections)
    if pending:
        console.narrate(
            f"it is of an earlier version: bring it up to date with etf-backtest migrate deploy "
            f"({len(pending)} pending)"
        )


def _say_what_was_kept(name: str, ended: int) -> None:
    console.narrate(
        f"what was there before is kept as the database {name}"
        + (f"; {ended} connections to it were ended" if ended else "")
    )
    console.narrate(f'when you need it no more: DROP DATABASE "{name}"')
