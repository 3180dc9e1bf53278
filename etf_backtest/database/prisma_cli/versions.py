"""The versions that must agree, because one tool generates what another one runs."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Final, TypedDict

from etf_backtest.database.prisma_cli.process import ENGINE_STUB
from etf_backtest.database.prisma_cli.project import Project
from etf_backtest.errors import PrismaNotInstalledError, VersionMismatchError

# released together with the CLI, under its version
_PACKAGES: Final = (
    "prisma",
    "@prisma/client",
    "@prisma/adapter-pg",
    "@prisma/driver-adapter-utils",
)


class _Manifest(TypedDict, total=False):
    version: str
    devDependencies: dict[str, str]
    prisma: dict[str, str]


def check_versions(project: Project) -> None:
    """Compare pyproject.toml, package.json, node_modules and the engine stub.

    Raises
    ------
    VersionMismatchError
        Two of them differ; names both.
    PrismaNotInstalledError
        A package is not in node_modules.
    """
    pyproject = tomllib.loads((project.root / "pyproject.toml").read_text(encoding="utf-8"))
    pins = pyproject.get("tool", {}).get("prisma", {})
    version = str(pins.get("prisma_version"))
    commit = str(pins.get("expected_engine_version"))
    modules = project.root / "node_modules"
    wanted = _manifest(project, project.root / "package.json").get("devDependencies", {})
    for package in _PACKAGES:
        _expect(f"{package} in package.json", wanted.get(package), version)
        installed = _manifest(project, modules / package / "package.json")
        _expect(f"{package} in node_modules", installed.get("version"), version)
    engines = _manifest(project, modules / "@prisma" / "engines-version" / "package.json")
    found = engines.get("prisma", {}).get("enginesVersion")
    _expect("the engine commit in @prisma/engines-version", found, commit)
    stub = re.search(r"const commit = '(\w+)'", ENGINE_STUB.read_text(encoding="utf-8"))
    _expect(f"the engine commit in {ENGINE_STUB.name}", stub and stub[1], commit)


def _manifest(project: Project, path: Path) -> _Manifest:
    try:
        manifest: _Manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PrismaNotInstalledError(project.root) from None
    return manifest


def _expect(what: str, found: str | None, expected: str) -> None:
    if found != expected:
        raise VersionMismatchError(what, found, expected)
