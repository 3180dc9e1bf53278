"""The client is generated whole or not at all, from anywhere, with no database and no engine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from etf_backtest.database import prisma_cli
from etf_backtest.errors import (
    GenerateError,
    PrismaNotInstalledError,
    ProjectNotFoundError,
    VersionMismatchError,
)
from etf_backtest.settings import Settings
from tests.integration.migrations.heard import Heard


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


async def test_generate_and_what_keeps_it_from_working(
    project: Path, settings: Settings, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a stranger's settings for another Prisma project
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hidden-word@localhost/x")
    monkeypatch.setenv("PRISMA_VERSION", "5.0.0")
    monkeypatch.setenv("PRISMA_EXPECTED_ENGINE_VERSION", "0")
    schema = project / "prisma" / "schema.prisma"
    parent = project / "etf_backtest" / "database"
    below = project / "prisma" / "migrations"

    assert await prisma_cli.generate(settings, **heard.on(below)) == 0
    client = parent / "client"
    assert heard.take().startswith(
        "Prisma schema loaded from prisma/schema.prisma\n\n"
        "✔ Generated Prisma Client Python (v0.15.0) to ./etf_backtest/database/client in "
    )
    assert sorted(path.name for path in parent.iterdir()) == ["client", "engine"]
    generated = files(client)
    assert (client / "schema.prisma").read_text() == schema.read_text()
    main = (client / "client.py").read_text()
    assert f"SCHEMA_PATH = Path('{schema}')" in main
    assert ".client-" not in main
    assert not any(b"hidden-word" in content for content in generated.values())
    # compiled beforehand, under the name where it ends up
    compiled = client / "__pycache__" / f"client.{sys.implementation.cache_tag}.pyc"
    assert str(client / "client.py").encode() in compiled.read_bytes()

    # a schema that cannot be, and one that Prisma takes but Python does not
    good = schema.read_text()
    schema.write_text(good.replace("portfolios Portfolio[]", "portfolios Nothing[]"))
    assert await prisma_cli.generate(settings, **heard.on(project)) == 1
    assert 'Type "Nothing" is neither a built-in type' in heard.take()
    assert files(client) == generated

    schema.write_text(good.replace('"../etf_backtest/database/client"', 'env("OUTPUT")'))
    with pytest.raises(GenerateError, match="names its output"):
        await prisma_cli.generate(settings, **heard.on(project))
    assert files(client) == generated
    assert sorted(path.name for path in parent.iterdir()) == ["client", "engine"]


async def test_a_client_that_does_not_compile_is_not_delivered(
    project: Path, settings: Settings, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = project / "etf_backtest" / "database" / "client"
    old.mkdir()
    (old / "kept.py").write_text("")
    monkeypatch.setattr("compileall.compile_dir", lambda *_, **__: False)
    with pytest.raises(GenerateError, match="does not compile"):
        await prisma_cli.generate(settings, **heard.on(project))
    assert [path.name for path in old.iterdir()] == ["kept.py"]


async def test_validate_and_format(project: Path, settings: Settings, heard: Heard) -> None:
    arguments = heard.on(project)
    assert await prisma_cli.validate(settings, **arguments) == 0
    assert "The schema at prisma/schema.prisma is valid" in heard.take()
    assert await prisma_cli.format_schema(settings, check=True, **arguments) == 0
    schema = project / "prisma" / "schema.prisma"
    formatted = schema.read_text()
    schema.write_text(formatted.replace("  @@map", "      @@map"))
    assert await prisma_cli.format_schema(settings, check=True, **arguments) == 1
    assert await prisma_cli.format_schema(settings, **arguments) == 0
    assert schema.read_text() == formatted
    schema.write_text(formatted.replace("model User {", "model User {\n  extra Nothing"))
    heard.take()
    assert await prisma_cli.validate(settings, **arguments) == 1
    assert "P1012" in heard.take()


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("pyproject.toml", '"6.19.3"', '"6.19.2"', "prisma in package.json is 6.19.3"),
        ("pyproject.toml", "c2990dca", "c2990dcb", "engine commit in @prisma/engines-version"),
        ("package.json", '"prisma": "6.19.3"', '"prisma": "6.19.4"', "prisma in package.json"),
    ],
)
async def test_pins_that_differ(
    *, file: str, old: str, new: str, message: str, project: Path, settings: Settings
) -> None:
    path = project / file
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(VersionMismatchError, match=message):
        await prisma_cli.generate(settings, directory=project)


async def test_where_there_is_no_project(
    project: Path, repository: Path, settings: Settings, tmp_path: Path
) -> None:
    assert prisma_cli.Project.find(project / "prisma" / "migrations").root == project
    # somebody else's Prisma project is not ours: the checkout of this package is taken
    other = tmp_path / "other"
    (other / "prisma").mkdir(parents=True)
    (other / "prisma" / "schema.prisma").touch()
    (other / "package.json").write_text('{"name": "shop"}')
    assert prisma_cli.Project.find(other).root == repository

    (project / "node_modules").unlink()
    with pytest.raises(PrismaNotInstalledError, match="setup"):
        await prisma_cli.validate(settings, directory=project)


def test_where_there_is_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etf_backtest.database.prisma_cli.project.SOURCE_CHECKOUT", tmp_path)
    with pytest.raises(ProjectNotFoundError, match="checkout"):
        prisma_cli.Project.find(tmp_path)
