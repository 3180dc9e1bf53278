"""An archive of pg_dump, read by pg_restore: its list, and its parts as SQL."""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from etf_backtest.database.backup.libpq import plain_environment
from etf_backtest.database.backup.processes import output, reason, running
from etf_backtest.database.backup.programs import Program
from etf_backtest.database.backup.script import DataScript
from etf_backtest.errors import BackupFileError

Section = Literal["pre-data", "post-data"]
MAGIC: Final = b"PGDMP"
_FACT: Final = re.compile(r"^;\s+(?P<name>[A-Za-z ]+): (?P<value>.*)$")
# number; two object numbers; then kind, schema, name and owner, which all may have blanks in them
_ENTRY: Final = re.compile(r"^\d+; \d+ \d+ (?P<text>\S.*)$")
_OURS: Final = re.compile(r"TABLE (?P<schema>.+) backtests .+")
_PART: Final = "etf-backtest-restore-"
# the lines that keep psql from obeying what is in a script; we are not psql
_FOR_PSQL: Final = re.compile(r"^\\(?:un)?restrict \w+$", re.MULTILINE)
_NEEDED: Final = ("portfolios", "backtests", "market_data")
_OWNER: Final = re.compile(
    r'^ALTER .* OWNER TO (?:"(?P<quoted>(?:[^"]|"")+)"|(?P<plain>[^"\s]+));$', re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the list."""

    line: str
    text: str
    """Kind, schema, name and owner: `TABLE public users postgres`."""


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that pg_restore can read, with tables of ours in it."""

    path: Path
    program: Program
    schema: str
    """That of our tables."""
    server: str
    """The version that it was dumped from."""
    entries: tuple[Entry, ...]

    def creates(self, schema: str) -> bool:
        """Whether it has this schema."""
        return any(entry.text.startswith(f"SCHEMA - {schema} ") for entry in self.entries)

    @classmethod
    async def open(cls, path: Path, program: Program) -> Archive:
        """Read an archive's list.

        Raises
        ------
        BackupFileError
            It is no archive, one of a newer PostgreSQL, cut off, or of something else.
        """
        _check_beginning(path)
        arguments = ["--list", str(path)]
        listed, said = await output(program.path, arguments, plain_environment())
        if said is not None:
            raise unreadable(path, said, program)
        lines = listed.decode(errors="replace").splitlines()
        facts = {found["name"]: found["value"] for line in lines if (found := _FACT.match(line))}
        entries = tuple(
            Entry(line, found["text"]) for line in lines if (found := _ENTRY.match(line))
        )
        ours = _schemas_of_ours(entries)
        if len(ours) != 1:
            raise BackupFileError(
                path,
                f"is a dump of something else: the database {facts.get('dbname', '?')!r} had "
                + ("no tables of ours" if not ours else f"ours in {', '.join(ours)}"),
                remedy="give a file that etf-backtest db backup has written",
            )
        return cls(path, program, ours[0], facts.get("Dumped from database version", "?"), entries)

    async def script(
        self, section: Section, *, present: Iterable[str] = (), keep_owners: bool = True
    ) -> str:
        """What comes before the rows (tables) or after them (keys, indexes, triggers).

        Parameters
        ----------
        section : {"pre-data", "post-data"}
        present : iterable of str
            Schemas that need not be created.
        keep_owners : bool
            Give everything to the role that owned it, instead of to whoever runs the script.
        """
        left_out = tuple(
            f"{kind} {schema} " for kind in ("SCHEMA -", "COMMENT - SCHEMA") for schema in present
        )
        wanted = [entry for entry in self.entries if not entry.text.startswith(left_out)]
        options = [f"--section={section}", "--no-privileges"]
        return await self._sql(wanted, *options, *([] if keep_owners else ["--no-owner"]))

    async def privileges(self) -> list[str]:
        """The statements that grant and revoke, one by one."""
        wanted = [e for e in self.entries if e.text.startswith(("ACL ", "DEFAULT ACL "))]
        if not wanted:
            return []
        script = await self._sql(wanted)
        beginnings = ("GRANT ", "REVOKE ", "ALTER DEFAULT PRIVILEGES ")
        return [line for line in script.splitlines() if line.startswith(beginnings)]

    @asynccontextmanager
    async def data(self) -> AsyncIterator[DataScript]:
        """The rows and the positions of sequences, as they come.

        Raises
        ------
        BackupFileError
            At the end, if it ended in the middle.
        """
        arguments = ["--section=data", "--file=-", str(self.path)]
        async with running(self.program.path, arguments, plain_environment()) as process:
            assert process.stdout is not None  # noqa: S101  # a pipe was asked for
            assert process.stderr is not None  # noqa: S101
            script = DataScript(process.stdout)
            yield script
            said = await process.stderr.read()
            if await process.wait() != 0:
                raise unreadable(self.path, reason(said, process.returncode), self.program)

    async def _sql(self, entries: Sequence[Entry], *options: str) -> str:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix=_PART) as chosen:
            chosen.write("".join(f"{entry.line}\n" for entry in entries))
            chosen.flush()
            arguments = [*options, f"--use-list={chosen.name}", "--file=-", str(self.path)]
            script, said = await output(self.program.path, arguments, plain_environment())
        if said is not None:
            raise unreadable(self.path, said, self.program)
        return _FOR_PSQL.sub("", script.decode())


def unreadable(path: Path, said: str, program: Program) -> BackupFileError:
    """What pg_restore said about a file."""
    if "unsupported version" in said:
        return BackupFileError(
            path,
            f"was written by a newer pg_dump than pg_restore {program}, the newest here ({said})",
            remedy="install the client programs of the PostgreSQL that it was dumped with",
        )
    return BackupFileError(
        path,
        f"cannot be read to its end, it is cut off or damaged ({said})",
        remedy="take another copy of the backup",
    )


def owners_in(script: str) -> frozenset[str]:
    """The roles that a script makes owners."""
    return frozenset(
        found["plain"] or found["quoted"].replace('""', '"') for found in _OWNER.finditer(script)
    )


def _schemas_of_ours(entries: Sequence[Entry]) -> list[str]:
    tables = [entry.text for entry in entries if entry.text.startswith("TABLE ")]
    texts = [text for text in tables if not text.startswith("TABLE DATA ")]
    candidates = {found["schema"] for text in texts if (found := _OURS.fullmatch(text))}
    return sorted(
        schema
        for schema in candidates
        if all(any(t.startswith(f"TABLE {schema} {name} ") for t in texts) for name in _NEEDED)
    )


def _check_beginning(path: Path) -> None:
    try:
        if not path.is_file():
            there = path.exists()
            raise BackupFileError(path, "is no regular file" if there else "is not there")
        with path.open("rb") as file:
            beginning = file.read(len(MAGIC))
    except OSError as error:
        raise BackupFileError(path, f"cannot be read: {error.strerror or error}") from error
    if beginning != MAGIC:
        raise BackupFileError(
            path,
            "is no archive of pg_dump" + (" (it is empty)" if not beginning else ""),
            remedy="give a file that etf-backtest db backup has written (pg_dump's custom format)",
        )
