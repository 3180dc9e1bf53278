"""`migrate status`, `deploy` and `reset` look after the queue of backtests, too."""

from __future__ import annotations

from tests.acceptance.cli.conftest import RunCli
from tests.fixtures.cluster import Cluster


def test_migrate_looks_after_the_queue(
    cli_process: RunCli, postgres: Cluster, database_url: str
) -> None:
    """The database has every migration, applied by hand, and no queue."""
    name = database_url.rpartition("/")[2]
    migrate = ("migrate", "reset", "--yes", "--skip-generate", "--skip-seed")
    postgres.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public", database=name)
    assert "is installed" not in cli_process("migrate", "status", code=1).err
    deployed = cli_process("migrate", "deploy")
    assert "The queue of backtests (schema etf_backtest_queue) was installed" in deployed.err
    reset = cli_process(*migrate)
    assert "(schema etf_backtest_queue) was installed" in reset.err
    status = cli_process("migrate", "status")
    assert "is up to date with procrastinate" in status.err
    for ran in (deployed, reset, status):
        assert postgres.password not in ran.out + ran.err
