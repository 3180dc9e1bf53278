"""Backups: the archive, its manifest, the programs that write and read it, and restoring it."""

from __future__ import annotations

from pathlib import Path

from etf_backtest.errors.base import EtfBacktestError


class BackupFileError(EtfBacktestError):
    """A backup, or its manifest, cannot be written or read."""

    def __init__(self, path: Path, reason: str, *, remedy: str | None = None) -> None:
        super().__init__(f"{path}: {reason}", remedy=remedy)
        self.path = path
        self.reason = reason


class ManifestMissingError(BackupFileError):
    """Nothing says what has to be in the archive."""

    def __init__(self, path: Path, manifest: Path) -> None:
        super().__init__(
            path,
            f"its manifest {manifest.name} is not beside it, so that it cannot be verified",
            remedy="put the manifest beside it, or say --yes to restore it unverified",
        )
        self.manifest = manifest


class DamagedBackupError(BackupFileError):
    """The archive is not the one that its manifest describes."""

    def __init__(self, path: Path, *, found: str, expected: str) -> None:
        super().__init__(
            path,
            f"it is damaged, or not the file of its manifest: its SHA-256 is {found[:16]}..., "
            f"expected {expected[:16]}...",
            remedy="take another copy of the backup; nothing was restored",
        )
        self.found = found
        self.expected = expected


class PostgresProgramError(EtfBacktestError):
    """pg_dump or pg_restore is missing, or too old."""

    def __init__(self, name: str, *, needed: int, found: str | None) -> None:
        super().__init__(
            f"{name} {needed} or newer is needed, "
            + (f"the newest here is {found}" if found else "and there is none here"),
            remedy=f"install PostgreSQL's client programs of version {needed} or newer (on Debian "
            f"postgresql-client-{needed}), or put them first in PATH",
        )
        self.name = name
        self.needed = needed
        self.found = found


class BackupError(EtfBacktestError):
    """The database could not be dumped; nothing was left."""

    def __init__(self, reason: str, *, remedy: str | None = None) -> None:
        super().__init__(f"the backup failed: {reason}", remedy=remedy)
        self.reason = reason


class NotEmptyError(EtfBacktestError):
    """A backup is to be restored where there is something."""

    def __init__(self, database: str, what: str, *, remedy: str | None = None) -> None:
        super().__init__(
            f"the database {database!r} is not empty: {what}",
            remedy=remedy
            or "say --yes to put the backup in its place (it is kept under another name), or "
            "name another database",
        )
        self.database = database
        self.what = what


class RestoreError(EtfBacktestError):
    """A backup could not be restored; the database is as it was."""

    def __init__(self, reason: str, *, remedy: str | None = None) -> None:
        super().__init__(f"nothing was restored: {reason}", remedy=remedy)
        self.reason = reason


class UnknownPatternError(EtfBacktestError):
    """There is no such query to explain."""

    exit_code = 2

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(
            f"no query of the application is called {name!r}",
            remedy=f"one of {', '.join(known)}",
        )
        self.name = name
        self.known = known
