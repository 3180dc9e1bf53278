"""The queue lies beside the tables that Prisma knows, and Prisma does not notice."""

from __future__ import annotations

from pathlib import Path

import pytest

from etf_backtest.database import prisma_cli
from etf_backtest.database.prisma_cli import DiffSide, Output
from etf_backtest.database.queue import install_queue, queue_state
from etf_backtest.database.url import DatabaseUrl
from etf_backtest.settings import Settings


@pytest.mark.parametrize("home", ["", "?schema=funds"])
async def test_no_command_of_prismas_sees_a_difference(
    database_url: str, repository: Path, user_home: Path, home: str
) -> None:
    """`migrate diff`, the comparison that `migrate dev` begins with, and `db pull`."""
    url = DatabaseUrl.parse(database_url + home)
    settings = Settings(data_dir=user_home / "data", cache_dir=user_home / "cache")
    said: list[str] = []
    where = {"directory": repository, "output": Output(stdout=said.append, stderr=said.append)}
    if home:
        assert await prisma_cli.migrate_deploy(settings, url.render(), **where) == 0  # type: ignore[arg-type]  # a dict
    await install_queue(url)
    assert (await queue_state(url)).is_ready
    # in `public` also from the migrations, with which `migrate dev` begins
    sides: list[DiffSide] = ["schema"] if home else ["schema", "migrations"]
    for side in sides:
        said.clear()
        code = await prisma_cli.migrate_diff(
            settings,
            url.render(),
            from_="database",
            to=side,
            exit_code=True,
            **where,  # type: ignore[arg-type]  # a dict
        )
        assert code == 0, "".join(said)
    if home:
        return  # to compare the database, `migrate diff` has pulled it
    said.clear()
    assert await prisma_cli.db_pull(settings, url.render(), **where) == 0  # type: ignore[arg-type]  # a dict
    assert "procrastinate" not in "".join(said)
    assert "model Backtest" in "".join(said)
