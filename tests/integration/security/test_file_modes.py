"""What commands write is for nobody else, also where the umask would let everybody in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from etf_backtest.database.node import compile_cache
from etf_backtest.settings import private_folder
from tests.acceptance.cli.conftest import run_here
from tests.fixtures.cluster import run_apart
from tests.integration.security.database_roles import BUY_AND_HOLD

BARS = "symbol,date,adjusted_close\nAAA,2024-01-02,100\nAAA,2024-01-03,101\nAAA,bad,1\n"


@pytest.fixture(autouse=True)
def _no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """What others get at. (What Node keeps of itself is in a folder that they cannot enter.)"""
    found = []
    for path in sorted(folder.iterdir()):
        if path.stat(follow_symlinks=False).st_mode & 0o077:
            found.append(str(path.relative_to(folder.parent)))
        if path.is_dir() and not path.is_symlink() and path.name != "node":
            found += open_to_others(path)
    return found


async def insert(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(BUY_AND_HOLD)
    await connection.close()


def test_every_file_and_folder(database_url: str, user_home: Path) -> None:
    (user_home / "bars.csv").write_text(BARS)
    (user_home / "bars.csv").chmod(0o600)
    (user_home / "secret").write_text("a long enough password\n")
    (user_home / "secret").chmod(0o600)
    run_apart(insert(database_url))
    for command in (
        "prices import --sample",
        "prices import bars.csv --skip-bad --rejects rejected.csv",
        "prices export prices.csv",
        "prices export prices.csv --overwrite",
        "prices export prices.csv.gz AAA",
        "prices export prices.parquet AAA",
        "portfolio create p MTUM=1",
        "backtest run -p p -s buy-and-hold",
        "user add ada@example.com --password-file secret",
        "user verify ada@example.com",
        "db backup backup.dump",
    ):
        run_here(*command.split(), url=database_url)
    written = {path.name for path in user_home.rglob("*") if path.is_file()}
    assert {"rejected.csv", "prices.csv", "prices.csv.gz", "prices.parquet"} <= written
    assert {"backup.dump", "backup.dump.json", "secret_key"} <= written
    assert list((user_home / ".cache").rglob("panels/*"))
    assert open_to_others(user_home) == []


def test_compiled_code_is_kept_where_nobody_else_can_put_some(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    assert compile_cache(folder) == {"NODE_COMPILE_CACHE": str(folder)}
    folder.chmod(0o770)
    assert compile_cache(folder) == {}


def test_folders_above_are_private_too_and_others_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(mode=0o755)
    made = private_folder(tmp_path / "there" / "a" / "b")
    assert [p.stat().st_mode & 0o777 for p in (made, made.parent)] == [0o700, 0o700]
    assert (tmp_path / "there").stat().st_mode & 0o777 == 0o755
    assert private_folder(made) == made
