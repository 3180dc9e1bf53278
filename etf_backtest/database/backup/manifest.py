"""What stands beside an archive, `FILE.json`: whose it is, and what has to come out of it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from etf_backtest.database.backup.contents import Contents, TableSum
from etf_backtest.errors import BackupFileError
from etf_backtest.errors.wording import shortened

FORM: Final = 1
_LARGEST: Final = 64 * 2**20
_BLOCK: Final = 2**20


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileFacts(_Part):
    """The archive itself."""

    name: str
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Versions(_Part):
    """Of all that took part."""

    etf_backtest: str
    server: str
    pg_dump: str


class AppliedMigration(_Part):
    """A migration that the database had had."""

    name: str
    checksum: str


class TableFacts(_Part):
    """The rows of a table: how many, and the sum of their hashes."""

    rows: int = Field(ge=0)
    checksum: str = Field(pattern=r"^-?[0-9]+$")


class Manifest(_Part):
    """All of it. It holds no secret and no address."""

    form: Literal[1] = FORM
    created_at: dt.datetime
    """The time of the server when the snapshot was taken that everything is of."""
    database: str
    schemas: tuple[str, ...] = Field(min_length=1)
    """That of our tables, then that of the queue, if it was there."""
    versions: Versions
    file: FileFacts
    migrations: tuple[AppliedMigration, ...]
    tables: Mapping[str, TableFacts]
    sequences: Mapping[str, int]
    triggers: tuple[str, ...]
    constraints: tuple[str, ...]
    indexes: tuple[str, ...]
    extensions: tuple[str, ...]

    @property
    def contents(self) -> Contents:
        """What has to be there after a restore."""
        return Contents(
            tables={name: TableSum(t.rows, t.checksum) for name, t in self.tables.items()},
            sequences=self.sequences,
            triggers=self.triggers,
            constraints=self.constraints,
            indexes=self.indexes,
            extensions=self.extensions,
        )

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.rows for table in self.tables.values())

    def to_json(self) -> str:
        """For the file."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"

    @staticmethod
    def path_of(archive: Path) -> Path:
        """Where the manifest of an archive is."""
        return archive.with_name(f"{archive.name}.json")

    @classmethod
    def read(cls, archive: Path) -> Manifest | None:
        """The manifest of an archive; None where there is none.

        Raises
        ------
        BackupFileError
            It cannot be read, or is something else.
        """
        path = cls.path_of(archive)
        try:
            if path.stat().st_size > _LARGEST:
                raise BackupFileError(path, "is too large to be a manifest")
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BackupFileError(path, f"cannot be read: {error.strerror}") from error
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(map(str, problem["loc"]))
            reason = shortened(f"{where}: {problem['msg']}" if where else problem["msg"])
            raise BackupFileError(
                path,
                f"is no manifest of a backup ({reason})",
                remedy="take another copy of it, or move it away and say --yes",
            ) from None


def facts_of(contents: Contents) -> dict[str, object]:
    """The contents by the names of a manifest's fields."""
    return asdict(contents)


def sha256_of(path: Path) -> tuple[str, int]:
    """The SHA-256 of a file in hexadecimal digits, and how many bytes it has.

    Raises
    ------
    BackupFileError
        It is not there, or cannot be read.
    """
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
    except OSError as error:
        raise BackupFileError(
            path,
            f"cannot be read: {error.strerror or error}",
            remedy="give the file that etf-backtest db backup wrote",
        ) from error
    return digest.hexdigest(), size
