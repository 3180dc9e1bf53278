"""Where the project is that the Prisma CLI works on, and what it needs there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from etf_backtest.errors import PrismaNotInstalledError, ProjectNotFoundError

NAME: Final = "etf-backtest"
"""In package.json: another project's schema.prisma is none of our business."""
SOURCE_CHECKOUT: Final = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Project:
    """A checkout: the folder that holds `prisma/schema.prisma`, and what belongs to it."""

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Project:
        """The project around a folder, else the checkout that this package runs from.

        Parameters
        ----------
        start : Path, optional
            Looked at first, then its parents; defaults to the working directory.

        Raises
        ------
        ProjectNotFoundError
            Neither is there: the package was installed from a wheel, which holds no migrations.
        """
        start = (start or Path.cwd()).absolute()
        for folder in (start, *start.parents, SOURCE_CHECKOUT):
            if (folder / "prisma" / "schema.prisma").is_file() and _is_ours(folder):
                return cls(folder)
        raise ProjectNotFoundError(start)

    @property
    def schema(self) -> Path:
        """The schema."""
        return self.root / "prisma" / "schema.prisma"

    @property
    def migrations(self) -> Path:
        """The folder of migrations, oldest first by name."""
        return self.root / "prisma" / "migrations"

    @property
    def prisma(self) -> Path:
        """The Prisma CLI's entry point.

        Raises
        ------
        PrismaNotInstalledError
            The npm packages are not there.
        """
        entry = self.root / "node_modules" / "prisma" / "build" / "index.js"
        if not entry.is_file():
            raise PrismaNotInstalledError(self.root)
        return entry


def _is_ours(folder: Path) -> bool:
    try:
        manifest = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("name") == NAME
